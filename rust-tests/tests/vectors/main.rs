//! The decision vectors, replayed on the core and on naive models, and the generated ones made anew.
//!
//! `SEAWALL_BLESS=1 cargo test -p seawall-tests --test vectors up_to_date` writes the generated ones.

#[macro_use]
mod script;
mod adaptive;
mod breaker;
mod budget;
mod bulkhead;
mod cache;
mod hedge;
mod latencies;
mod policy;
mod pressure;
mod rate;
mod retry;
mod throttle;
mod timeout;
