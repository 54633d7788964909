//! Jobs that repeat for ever: see `core/src/periodic`.

use std::cell::RefCell;

use seawall::door::Slab;
use seawall::periodic::{Periodic, PeriodicOptions};
use seawall::{Instant, Rng};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::options::refused;

thread_local! {
    static JOBS: RefCell<Slab<Periodic>> = const { RefCell::new(Slab::new()) };
}

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
    match options.build(Instant::from_millis(now_ms), Rng::new(seed as u64)) {
        Ok(job) => JOBS.with_borrow_mut(|slab| slab.insert(job)).into(),
        Err(problem) => refused(problem),
    }
}

/// When the next run is due in ms, or -1 while one is under way.
#[wasm_bindgen(js_name = periodicDue)]
pub fn periodic_due(handle: u32) -> f64 {
    JOBS.with_borrow(|slab| {
        slab.get(handle).and_then(Periodic::due).map_or(-1.0, Instant::as_millis)
    })
}

/// Whether a run begins now.
#[wasm_bindgen(js_name = periodicBegin)]
pub fn periodic_begin(handle: u32, now_ms: f64) -> bool {
    JOBS.with_borrow_mut(|slab| {
        slab.get_mut(handle).is_some_and(|job| job.begin(Instant::from_millis(now_ms)))
    })
}

/// Ends a run and answers how many due times passed during it.
#[wasm_bindgen(js_name = periodicFinish)]
pub fn periodic_finish(handle: u32, now_ms: f64) -> f64 {
    JOBS.with_borrow_mut(|slab| {
        slab.get_mut(handle).map_or(0.0, |job| job.finish(Instant::from_millis(now_ms)) as f64)
    })
}

/// Gives the handle back.
#[wasm_bindgen(js_name = periodicFree)]
pub fn periodic_free(handle: u32) {
    JOBS.with_borrow_mut(|slab| slab.remove(handle));
}
