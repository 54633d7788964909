//! The WASM door: converts, calls the core, converts back.

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
mod drain;
mod handles;
mod health;
#[cfg(target_family = "wasm")]
mod heap;
mod hedge;
mod http;
mod idempotency;
mod lifecycle;
mod millis;
mod numbers;
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

#[cfg(target_family = "wasm")]
#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();
