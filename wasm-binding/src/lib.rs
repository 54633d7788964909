//! The WASM door: converts, calls the core, converts back.

mod backoff;
mod breaker;
mod causes;
mod chaos;
mod classify;
mod handles;
mod health;
mod millis;
mod options;
mod periodic;
mod pool;
mod registry;
mod retry;
