//! Resilience for services, decided by one core.
//!
//! Every policy is sans-IO: time is an [`Instant`] argument, randomness a
//! seeded [`Rng`], and each answer is a value.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod classify;
pub mod options;
mod rng;
mod time;

pub use rng::Rng;
pub use time::Instant;
