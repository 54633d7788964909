//! What there is beside breakers, schedules and repetition.

mod adaptive;
mod budget;
mod bulkhead;
mod cache;
mod chaos;
mod coalesce;
mod hedge;
mod http;
mod idempotency;
mod periodic;
mod policy;
mod pool;
mod priority;
mod rate;
mod registry;
mod throttle;
mod timeout;

use std::cell::RefCell;
use std::thread::LocalKey;

use seawall::Rng;
use seawall::cache::Lifetimes;
use seawall::chaos::{Chaos, LoopPause};
use seawall::door::Slab;
use seawall::hedge::Hedge;
use seawall::http::{Idempotency, Instances};
use seawall::limit::adaptive::AdaptiveLimiter;
use seawall::limit::bulkhead::Bulkhead;
use seawall::limit::priority::Priorities;
use seawall::limit::rate::Keys;
use seawall::limit::throttle::Throttle;
use seawall::periodic::Periodic;
use seawall::retry::RetryBudget;
use seawall::rotation::Rotation;
use seawall::timeout::Timeout;

use crate::handles::{Kept, Table};

/// What a handle of this part stands for.
pub(crate) enum Policy {
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
}

thread_local! {
    static POLICIES: Table<Policy> = const { RefCell::new(Slab::new()) };
}

impl Kept for Policy {
    const TABLE: &'static LocalKey<Table<Self>> = &POLICIES;
}
