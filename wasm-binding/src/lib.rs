//! The WASM door: converts, calls the core, converts back.
//!
//! Two files by two features: `engine` decides about calls, `process` about the process they run in.

#[cfg(feature = "engine")]
mod adaptive;
#[cfg(feature = "engine")]
mod backoff;
#[cfg(feature = "process")]
mod balance;
#[cfg(feature = "engine")]
mod breaker;
#[cfg(feature = "engine")]
mod budget;
#[cfg(feature = "engine")]
mod bulkhead;
#[cfg(feature = "engine")]
mod cache;
#[cfg(feature = "engine")]
mod causes;
#[cfg(feature = "engine")]
mod chaos;
#[cfg(feature = "engine")]
mod classify;
#[cfg(feature = "process")]
mod drain;
mod handles;
#[cfg(feature = "process")]
mod health;
#[cfg(target_family = "wasm")]
mod heap;
#[cfg(feature = "engine")]
mod hedge;
#[cfg(feature = "engine")]
mod http;
#[cfg(feature = "engine")]
mod idempotency;
#[cfg(feature = "process")]
mod lifecycle;
mod millis;
mod numbers;
mod options;
#[cfg(feature = "engine")]
mod periodic;
#[cfg(feature = "engine")]
mod policy;
#[cfg(feature = "engine")]
mod pool;
#[cfg(feature = "process")]
mod pressure;
#[cfg(feature = "engine")]
mod priority;
#[cfg(feature = "engine")]
mod rate;
#[cfg(feature = "process")]
mod reconnect;
#[cfg(feature = "engine")]
mod registry;
#[cfg(feature = "engine")]
mod retry;
#[cfg(feature = "engine")]
mod throttle;
#[cfg(feature = "engine")]
mod timeout;

#[cfg(target_family = "wasm")]
#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();
