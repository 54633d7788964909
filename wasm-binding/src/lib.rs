//! The WASM door: converts, calls the core, converts back.

mod backoff;
mod breaker;
mod causes;
mod chaos;
mod classify;
mod handles;
mod health;
#[cfg(target_family = "wasm")]
mod heap;
mod http;
mod idempotency;
mod millis;
mod options;
mod periodic;
mod policy;
mod pool;
mod registry;
mod retry;

#[cfg(target_family = "wasm")]
#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();
