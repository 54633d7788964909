//! The native door: converts, calls the core, converts back.
//!
//! Free functions over numbers, because a class method costs three times as much.

mod backoff;
mod breaker;
mod causes;
mod chaos;
mod classify;
mod handles;
mod health;
mod http;
mod idempotency;
mod millis;
mod options;
mod periodic;
mod policy;
mod pool;
mod registry;
mod retry;
