//! Priorities of calls: see `core/src/limit/priority`.

use seawall::Rng;
use seawall::limit::priority::Priorities;
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{free, keep, on};
use crate::numbers::Numbers;
use crate::policies::Policy;

/// A handle.
#[wasm_bindgen(js_name = priorityNew)]
pub fn priority_new(seed: f64) -> f64 {
    keep(Policy::Priorities(Priorities::new(Rng::new(seed as u64))), Checks::new())
}

/// Calls and users remembered, and the threshold where the share `rate` is turned away.
#[wasm_bindgen(js_name = priorityExplain)]
pub fn priority_explain(handle: u32, rate: f64) -> Numbers {
    let numbers = on(handle, |policy| match policy {
        Policy::Priorities(priorities) => Some(priorities.to_numbers(rate)),
        _ => None,
    });
    numbers.into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = priorityFree)]
pub fn priority_free(handle: u32) {
    free::<Policy>(handle);
}
