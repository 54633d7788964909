//! The WASM door: converts, calls the core, converts back.

mod backoff;
mod chaos;
mod millis;
mod options;
mod periodic;
mod retry;
mod slab;
