//! The WASM door: converts, calls the core, converts back.

mod backoff;
mod breaker;
mod causes;
mod chaos;
mod handles;
mod millis;
mod options;
mod periodic;
mod retry;
