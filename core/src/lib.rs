//! Resilience for services, decided by one core.
//!
//! Every policy is sans-IO: time is an [`Instant`] argument, randomness a
//! seeded [`Rng`], and each answer is a value.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test may panic"))]

extern crate alloc;

pub mod backoff;
pub mod balance;
pub mod breaker;
pub mod cache;
pub mod chaos;
pub mod classify;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod door;
pub mod error;
#[cfg(feature = "tokio")]
mod events;
mod fields;
pub mod health;
pub mod hedge;
pub mod http;
pub mod lifecycle;
pub mod limit;
mod lists;
mod numbers;
pub mod options;
#[cfg(feature = "os")]
pub mod os;
mod outcome;
pub mod periodic;
pub mod policy;
pub mod pool;
pub mod pressure;
pub mod quantile;
pub mod retry;
mod rng;
pub mod rotation;
pub mod simulate;
#[cfg(feature = "std")]
mod sync;
mod time;
pub mod timeout;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "tower")]
pub mod tower;

pub use outcome::Outcome;
pub use rng::Rng;
pub use time::Instant;
