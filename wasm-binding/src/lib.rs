//! The WASM door: converts, calls the core, converts back.

mod breaker;
mod options;
