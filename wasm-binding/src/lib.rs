//! The WASM door: converts, calls the core, converts back.

mod classify;
mod options;
