//! Resilience for services, decided by one core.
//!
//! Every policy is sans-IO: time is an [`Instant`] argument, randomness a
//! seeded [`Rng`], and each answer is a value. Each module says why, when not, and shows an example.
//!
//! | a call | is helped by |
//! |---|---|
//! | to a side that is down | [`breaker`] |
//! | that fails in passing | [`retry`], [`backoff`], [`classify`] |
//! | that hangs | [`timeout`], [`hedge`] |
//! | of too many at a time | [`limit::bulkhead`], [`limit::adaptive`], [`pressure`] |
//! | of too many in a while | [`limit::rate`], [`limit::throttle`] |
//! | that should fail on purpose | [`chaos`] |
//!
//! With the feature `tokio` the module `tokio` has them as futures, and `tower` as layers, behind the
//! feature of that name. [`error::Error`] says why a call through them has no value.
//!
//! # Features
//!
//! - `std` (default): breakers shared between threads, `std::error::Error` classified. Without it
//!   the pure state machines are left, for `no_std` with `alloc`.
//! - `tokio`: the policies as futures; only tokio's `time` is used.
//! - `tower`: a layer for each; `http`: what a response means.
//! - `hyper`, `reqwest`, `redis`, `sqlx`, `tokio-postgres`: what errors of these clients mean.
//! - `tracing`, `metrics`: state changes, refusals, retries, hedges, time-outs.
//! - `serde`: options of all policies, snapshots of breakers. `os`: samplers of the machine.
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
pub mod coalesce;
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

/// Runs the blocks of the crate's page as doc tests.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Page;
