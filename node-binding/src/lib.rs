//! The native door: converts, calls the core, converts back.
//!
//! Free functions over numbers, because a class method costs three times as much.

mod backoff;
mod breaker;
mod budget;
mod cache;
mod causes;
mod chaos;
mod classify;
mod handles;
mod health;
mod millis;
mod options;
mod periodic;
mod policy;
mod pool;
mod rate;
mod registry;
mod retry;
mod throttle;
