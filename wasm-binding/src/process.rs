//! What is about a process, and not about a call.

mod balance;
mod drain;
mod health;
mod lifecycle;
mod pressure;
mod reconnect;

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::LocalKey;

use seawall::Rng;
use seawall::balance::Respawn;
use seawall::door::Slab;
use seawall::health::HealthSet;
use seawall::lifecycle::Lifecycle;
use seawall::lifecycle::drain::Drain;
use seawall::lifecycle::reconnect::Reconnect;
use seawall::pressure::Monitor;

use crate::handles::{Kept, Table};

/// What a handle of this part stands for.
pub(crate) enum Policy {
    Respawn(Respawn, Rng),
    Drain(Drain),
    Reconnect(Reconnect),
    Health(HealthSet),
    Lifecycle(Box<Lifecycle>),
    Pressure(Arc<Monitor>),
}

thread_local! {
    static POLICIES: Table<Policy> = const { RefCell::new(Slab::new()) };
}

impl Kept for Policy {
    const TABLE: &'static LocalKey<Table<Self>> = &POLICIES;
}
