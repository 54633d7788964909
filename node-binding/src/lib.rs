//! The native door: converts, calls the core, converts back.
//!
//! Free functions over numbers, because a class method costs three times as much.

#![cfg_attr(not(unix), allow(dead_code, reason = "what only Unix can do would use it"))]
#![cfg_attr(test, allow(dead_code, reason = "nothing but Node calls what is exported"))]

mod adaptive;
mod backoff;
mod balance;
mod breaker;
mod budget;
mod bulkhead;
mod cache;
mod causes;
mod chaos;
mod classify;
mod coalesce;
mod drain;
mod handles;
mod health;
mod hedge;
mod http;
mod idempotency;
mod lifecycle;
mod millis;
mod native;
mod options;
mod periodic;
mod policy;
mod pool;
mod pressure;
mod priority;
mod rate;
mod reconnect;
mod registry;
mod retry;
mod throttle;
mod timeout;
