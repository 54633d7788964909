//! Resilience for services, decided by one core.
//!
//! Every policy is sans-IO: time is an [`Instant`] argument, randomness a
//! seeded [`Rng`], and each answer is a value.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod backoff;
pub mod chaos;
pub mod classify;
#[cfg(feature = "serde")]
mod fields;
pub mod options;
pub mod periodic;
pub mod retry;
mod rng;
mod time;

pub use rng::Rng;
pub use time::Instant;
