//! Jobs that repeat for ever: see `core/src/periodic`.

use napi_derive::napi;
use seawall::periodic::PeriodicOptions;
use seawall::{Instant, Rng};

use crate::handles::{Policy, free, keep, on};

/// A handle, or -1 after a refusal.
#[napi]
pub fn periodic_new(
    period_ms: f64,
    offset_ms: Option<f64>,
    jitter: Option<f64>,
    now_ms: f64,
    seed: f64,
) -> f64 {
    let options = PeriodicOptions { period_ms: Some(period_ms), offset_ms, jitter };
    let made = options.build(Instant::from_millis(now_ms), Rng::new(seed as u64));
    keep(made.map(Policy::Periodic))
}

/// When the next run is due in ms, or -1 while one is under way.
#[napi]
pub fn periodic_due(handle: u32) -> f64 {
    let mut due = None;
    on(handle, &mut |policy| {
        if let Policy::Periodic(job) = policy {
            due = job.due();
        }
    });
    due.map_or(-1.0, Instant::as_millis)
}

/// Whether a run begins now.
#[napi]
pub fn periodic_begin(handle: u32, now_ms: f64) -> bool {
    let mut begins = false;
    on(handle, &mut |policy| {
        if let Policy::Periodic(job) = policy {
            begins = job.begin(Instant::from_millis(now_ms));
        }
    });
    begins
}

/// Ends a run and answers how many due times passed during it.
#[napi]
pub fn periodic_finish(handle: u32, now_ms: f64) -> f64 {
    let mut passed = 0;
    on(handle, &mut |policy| {
        if let Policy::Periodic(job) = policy {
            passed = job.finish(Instant::from_millis(now_ms));
        }
    });
    passed as f64
}

/// Gives the handle back.
#[napi]
pub fn periodic_free(handle: u32) {
    free(handle);
}
