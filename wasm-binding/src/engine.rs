//! Breakers, schedules and repetition.

mod backoff;
pub(crate) mod breaker;
mod causes;
mod retry;

use std::cell::RefCell;
use std::thread::LocalKey;

use seawall::Rng;
use seawall::backoff::Backoff;
use seawall::door::Slab;
use seawall::retry::Retry;

use crate::handles::{Kept, Table};

/// What a handle of this part stands for.
pub(crate) enum Policy {
    Backoff(Backoff, Rng),
    Retry(Retry, Rng),
}

thread_local! {
    static POLICIES: Table<Policy> = const { RefCell::new(Slab::new()) };
}

impl Kept for Policy {
    const TABLE: &'static LocalKey<Table<Self>> = &POLICIES;
}
