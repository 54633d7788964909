//! Jobs that repeat for ever: see `core/src/periodic`.

use seawall::options::Checks;
use seawall::periodic::PeriodicOptions;
use seawall::{Instant, Rng};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{free, keep, on};
use crate::policies::Policy;

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = periodicNew)]
pub fn periodic_new(
    period_ms: f64,
    offset_ms: Option<f64>,
    jitter: Option<f64>,
    now_ms: f64,
    seed: f64,
) -> f64 {
    let options = PeriodicOptions { period_ms: Some(period_ms), offset_ms, jitter };
    let mut checks = Checks::new();
    let job = options.make(Instant::from_millis(now_ms), Rng::new(seed as u64), &mut checks);
    keep(Policy::Periodic(job), checks)
}

/// When the next run is due in ms, or -1 while one is under way.
#[wasm_bindgen(js_name = periodicDue)]
pub fn periodic_due(handle: u32) -> f64 {
    let due = on(handle, |policy| match policy {
        Policy::Periodic(job) => job.due(),
        _ => None,
    });
    due.map_or(-1.0, Instant::as_millis)
}

/// Whether a run begins now.
#[wasm_bindgen(js_name = periodicBegin)]
pub fn periodic_begin(handle: u32, now_ms: f64) -> bool {
    let now = Instant::from_millis(now_ms);
    let begins = on(handle, |policy| match policy {
        Policy::Periodic(job) => Some(job.begin(now)),
        _ => None,
    });
    begins.unwrap_or(false)
}

/// Ends a run and answers how many due times passed during it.
#[wasm_bindgen(js_name = periodicFinish)]
pub fn periodic_finish(handle: u32, now_ms: f64) -> f64 {
    let now = Instant::from_millis(now_ms);
    let passed = on(handle, |policy| match policy {
        Policy::Periodic(job) => Some(job.finish(now)),
        _ => None,
    });
    passed.unwrap_or(0) as f64
}

/// Gives the handle back.
#[wasm_bindgen(js_name = periodicFree)]
pub fn periodic_free(handle: u32) {
    free::<Policy>(handle);
}
