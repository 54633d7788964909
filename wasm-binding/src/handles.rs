//! The small policies of this isolate by number.
//!
//! One table for all kinds, reached through functions that are compiled once: a table for each
//! kind made the WASM engine several kilobytes bigger.

use std::cell::RefCell;
#[cfg(feature = "process")]
use std::sync::Arc;

use seawall::Rng;
use seawall::door::{Slab, isolate};
use seawall::options::Checks;
#[cfg(feature = "engine")]
use seawall::{
    backoff::Backoff,
    cache::Lifetimes,
    chaos::{Chaos, LoopPause},
    hedge::Hedge,
    http::{Idempotency, Instances},
    limit::adaptive::AdaptiveLimiter,
    limit::bulkhead::Bulkhead,
    limit::priority::Priorities,
    limit::rate::Keys,
    limit::throttle::Throttle,
    periodic::Periodic,
    retry::{Retry, RetryBudget},
    rotation::Rotation,
    timeout::Timeout,
};
#[cfg(feature = "process")]
use seawall::{
    balance::Respawn, health::HealthSet, lifecycle::Lifecycle, lifecycle::drain::Drain,
    lifecycle::reconnect::Reconnect, pressure::Monitor,
};

use crate::options::refused;

/// What a handle stands for.
pub(crate) enum Policy {
    #[cfg(feature = "engine")]
    Backoff(Backoff, Rng),
    #[cfg(feature = "engine")]
    Retry(Retry, Rng),
    #[cfg(feature = "engine")]
    Periodic(Periodic),
    #[cfg(feature = "engine")]
    Chaos(Chaos, Rng),
    #[cfg(feature = "engine")]
    LoopPause(LoopPause, Rng),
    #[cfg(feature = "engine")]
    Rotation(Rotation),
    #[cfg(feature = "engine")]
    Cache(Lifetimes, Rng),
    #[cfg(feature = "engine")]
    Rates(Keys),
    #[cfg(feature = "engine")]
    Throttle(Throttle, Rng),
    #[cfg(feature = "engine")]
    Budget(RetryBudget),
    #[cfg(feature = "engine")]
    Timeout(Timeout),
    #[cfg(feature = "engine")]
    Hedge(Hedge),
    #[cfg(feature = "engine")]
    Adaptive(Box<AdaptiveLimiter>),
    #[cfg(feature = "engine")]
    Bulkhead(Bulkhead),
    #[cfg(feature = "engine")]
    Priorities(Priorities),
    #[cfg(feature = "engine")]
    Instances(Instances),
    #[cfg(feature = "engine")]
    Idempotency(Idempotency),
    #[cfg(feature = "process")]
    Respawn(Respawn, Rng),
    #[cfg(feature = "process")]
    Drain(Drain),
    #[cfg(feature = "process")]
    Reconnect(Reconnect),
    #[cfg(feature = "process")]
    Health(HealthSet),
    #[cfg(feature = "process")]
    Lifecycle(Box<Lifecycle>),
    #[cfg(feature = "process")]
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
