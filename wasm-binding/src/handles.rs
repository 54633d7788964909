//! The small policies of this isolate by number.
//!
//! One table for all kinds, reached through functions that are compiled once: a table for each
//! kind made the WASM engine several kilobytes bigger.

use std::cell::RefCell;
use std::sync::Arc;

use seawall::Rng;
use seawall::backoff::Backoff;
use seawall::balance::Respawn;
use seawall::cache::Lifetimes;
use seawall::chaos::{Chaos, LoopPause};
use seawall::door::{Slab, isolate};
use seawall::health::HealthSet;
use seawall::hedge::Hedge;
use seawall::http::{Idempotency, Instances};
use seawall::lifecycle::Lifecycle;
use seawall::lifecycle::drain::Drain;
use seawall::lifecycle::reconnect::Reconnect;
use seawall::limit::adaptive::AdaptiveLimiter;
use seawall::limit::bulkhead::Bulkhead;
use seawall::limit::priority::Priorities;
use seawall::limit::rate::Keys;
use seawall::limit::throttle::Throttle;
use seawall::options::Checks;
use seawall::periodic::Periodic;
use seawall::pressure::Monitor;
use seawall::retry::{Retry, RetryBudget};
use seawall::rotation::Rotation;
use seawall::timeout::Timeout;

use crate::options::refused;

/// What a handle stands for.
pub(crate) enum Policy {
    Backoff(Backoff, Rng),
    Retry(Retry, Rng),
    Periodic(Periodic),
    Chaos(Chaos, Rng),
    LoopPause(LoopPause, Rng),
    Rotation(Rotation),
    Cache(Lifetimes, Rng),
    Rates(Keys),
    Throttle(Throttle, Rng),
    Budget(RetryBudget),
    Timeout(Timeout),
    Hedge(Hedge),
    Adaptive(Box<AdaptiveLimiter>),
    Bulkhead(Bulkhead),
    Priorities(Priorities),
    Instances(Instances),
    Idempotency(Idempotency),
    Respawn(Respawn, Rng),
    Drain(Drain),
    Reconnect(Reconnect),
    Health(HealthSet),
    Lifecycle(Box<Lifecycle>),
    Pressure(Arc<Monitor>),
}

thread_local! {
    /// `None` while a policy is out.
    static POLICIES: RefCell<Slab<Option<Box<Policy>>>> = const { RefCell::new(Slab::new()) };
}

/// The handle of a policy, or -1 where its options were refused.
#[inline(never)]
pub(crate) fn keep(policy: Policy, checks: Checks) -> f64 {
    if let Err(problem) = checks.passed() {
        return refused(&problem);
    }
    let policy = Some(Box::new(policy));
    isolate::with(&POLICIES, |slab| slab.insert(policy)).map_or(-1.0, f64::from)
}

/// 0, or -1 where the options were refused, so that nothing is to be changed.
#[inline(never)]
pub(crate) fn accept(checks: Checks) -> f64 {
    checks.passed().map_or_else(|problem| refused(&problem), |()| 0.0)
}

/// What `act` answers on the policy of `handle`, if there is one.
#[inline(always)]
pub(crate) fn on<R>(handle: u32, act: impl FnOnce(&mut Policy) -> Option<R>) -> Option<R> {
    let mut policy = take(handle)?;
    let answer = act(&mut policy);
    put(handle, policy);
    answer
}

#[inline(never)]
fn take(handle: u32) -> Option<Box<Policy>> {
    isolate::with(&POLICIES, |slab| slab.get_mut(handle)?.take())?
}

#[inline(never)]
fn put(handle: u32, policy: Box<Policy>) {
    isolate::with(&POLICIES, |slab| slab.get_mut(handle).map(|place| *place = Some(policy)));
}

/// Gives the handle back.
#[inline(never)]
pub(crate) fn free(handle: u32) {
    isolate::with(&POLICIES, |slab| slab.remove(handle));
}
