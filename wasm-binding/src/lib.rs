//! The WASM door: converts, calls the core, converts back.
//!
//! Several modules are built from it, with different features: see `Cargo.toml`. All but `classify`
//! have options to refuse, handles, and lists of numbers.

#[cfg(feature = "classify")]
mod classify;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "handles")]
mod handles;
#[cfg(any(target_family = "wasm", test))]
mod heap;
#[cfg(feature = "handles")]
mod millis;
#[cfg(feature = "handles")]
mod numbers;
#[cfg(feature = "handles")]
mod options;
#[cfg(feature = "policies")]
mod policies;
#[cfg(feature = "process")]
mod process;

#[cfg(target_family = "wasm")]
#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();
