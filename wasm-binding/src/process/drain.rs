//! Who leaves a draining server when: see `core/src/lifecycle/drain.rs`.

use seawall::Rng;
use seawall::lifecycle::drain::Drain;
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{free, keep, on};
use crate::millis::millis;
use crate::process::Policy;

/// The handle of a drain over `window_ms`, or -1 after a refusal.
#[wasm_bindgen(js_name = drainNew)]
pub fn drain_new(window_ms: f64, farewell_ms: f64, retry_ms: Option<f64>, seed: f64) -> f64 {
    let mut checks = Checks::new();
    let rng = &mut Rng::new(seed as u64);
    let drain = Drain::make(window_ms, farewell_ms, retry_ms, rng, &mut checks);
    keep(Policy::Drain(drain), checks)
}

/// How many ms after its beginning the next connection is told to leave.
#[wasm_bindgen(js_name = drainTurn)]
pub fn drain_turn(handle: u32) -> f64 {
    let turn = on(handle, |policy| match policy {
        Policy::Drain(drain) => Some(drain.turn()),
        _ => None,
    });
    turn.map_or(0.0, millis)
}

/// Gives the handle back.
#[wasm_bindgen(js_name = drainFree)]
pub fn drain_free(handle: u32) {
    free::<Policy>(handle);
}
