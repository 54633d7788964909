//! The native door: converts, calls the core, converts back.
//!
//! Free functions over numbers, because a class method costs three times as much.

mod adaptive;
mod backoff;
mod breaker;
mod bulkhead;
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
mod priority;
mod registry;
mod retry;
