//! Priorities of calls: see `core/src/limit/priority`.

use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;
use seawall::Rng;
use seawall::limit::priority::Priorities;
use seawall::options::Checks;

use crate::handles::{Policy, free, keep, on};

/// A handle.
#[napi]
pub fn priority_new(seed: f64) -> f64 {
    keep(Policy::Priorities(Priorities::new(Rng::new(seed as u64))), Checks::new())
}

/// Calls and users remembered, and the threshold where the share `rate` is turned away.
#[napi]
pub fn priority_explain(handle: u32, rate: f64) -> Float64Array {
    let numbers = on(handle, |policy| match policy {
        Policy::Priorities(priorities) => Some(priorities.to_numbers(rate)),
        _ => None,
    });
    Float64Array::new(numbers.unwrap_or_default())
}

/// Gives the handle back.
#[napi]
pub fn priority_free(handle: u32) {
    free(handle);
}
