//! Schedules of waits: see `core/src/backoff`.

use seawall::Rng;
use seawall::backoff::BackoffOptions;
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::engine::Policy;
use crate::handles::{free, keep, on};
use crate::millis::{duration, millis};
use crate::numbers::Numbers;

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = backoffNew)]
pub fn backoff_new(options: Numbers, seed: f64) -> f64 {
    let mut checks = Checks::new();
    let backoff = options.read::<BackoffOptions>().make(&mut checks);
    keep(Policy::Backoff(backoff, Rng::new(seed as u64)), checks)
}

/// The wait in ms after attempt `attempt`, or -1 to give up.
#[wasm_bindgen(js_name = backoffDelay)]
pub fn backoff_delay(handle: u32, attempt: f64, previous_ms: f64, elapsed_ms: f64) -> f64 {
    let (previous, elapsed) = (duration(previous_ms), duration(elapsed_ms));
    let wait = on(handle, |policy| match policy {
        Policy::Backoff(backoff, rng) => {
            backoff.delay_within(attempt as u32, previous, elapsed, rng)
        }
        _ => None,
    });
    wait.map_or(-1.0, millis)
}

/// A seed drawn from the schedule's own generator, for a run beside it.
#[wasm_bindgen(js_name = backoffSeed)]
pub fn backoff_seed(handle: u32) -> f64 {
    let bits = on(handle, |policy| match policy {
        Policy::Backoff(_, rng) => Some(rng.bits()),
        _ => None,
    });
    (bits.unwrap_or(0) >> 11) as f64
}

/// Gives the handle back.
#[wasm_bindgen(js_name = backoffFree)]
pub fn backoff_free(handle: u32) {
    free::<Policy>(handle);
}
