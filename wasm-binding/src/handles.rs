//! The small policies of this isolate by number.
//!
//! One table for all kinds, reached through two functions that are compiled once: a table for each
//! kind made the WASM engine several kilobytes bigger.

use std::cell::RefCell;

use seawall::Rng;
use seawall::backoff::Backoff;
use seawall::chaos::{Chaos, LoopPause};
use seawall::door::Slab;
use seawall::options::Problem;
use seawall::periodic::Periodic;
use seawall::retry::Retry;

use crate::options::refused;

/// What a handle stands for.
pub(crate) enum Policy {
    Backoff(Backoff, Rng),
    Retry(Retry, Rng),
    Periodic(Periodic),
    Chaos(Chaos, Rng),
    LoopPause(LoopPause, Rng),
}

thread_local! {
    static POLICIES: RefCell<Slab<Policy>> = const { RefCell::new(Slab::new()) };
}

/// The handle of a policy, or -1 where its options were refused.
#[inline(never)]
pub(crate) fn keep(made: Result<Policy, Problem>) -> f64 {
    made.map_or_else(refused, |policy| POLICIES.with_borrow_mut(|slab| slab.insert(policy)).into())
}

/// Acts on the policy of `handle`, if there is one.
#[inline(never)]
pub(crate) fn on(handle: u32, act: &mut dyn FnMut(&mut Policy)) {
    POLICIES.with_borrow_mut(|slab| slab.get_mut(handle).map(act));
}

/// Gives the handle back.
#[inline(never)]
pub(crate) fn free(handle: u32) {
    POLICIES.with_borrow_mut(|slab| slab.remove(handle));
}
