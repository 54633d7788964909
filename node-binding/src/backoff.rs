//! Schedules of waits: see `core/src/backoff`.

use std::cell::RefCell;

use napi_derive::napi;
use seawall::Rng;
use seawall::backoff::{Backoff, BackoffOptions};
use seawall::door::{Slab, isolate, numbers};

use crate::millis::{duration, millis};
use crate::options::kept;

struct Entry {
    backoff: Backoff,
    rng: Rng,
}

thread_local! {
    static BACKOFFS: RefCell<Slab<Entry>> = const { RefCell::new(Slab::new()) };
}

/// The schedule of `handle`.
pub(crate) fn get(handle: u32) -> Option<Backoff> {
    isolate::entry(&BACKOFFS, handle, |entry| entry.backoff.clone())
}

/// A handle, or -1 after a refusal.
#[napi]
pub fn backoff_new(options: &[f64], seed: f64) -> f64 {
    let options: BackoffOptions = numbers::read(options);
    let built = options.into_config().and_then(Backoff::new);
    kept(&BACKOFFS, built.map(|backoff| Entry { backoff, rng: Rng::new(seed as u64) }))
}

/// The wait in ms after attempt `attempt`, or -1 to give up.
#[napi]
pub fn backoff_delay(handle: u32, attempt: f64, previous_ms: f64, elapsed_ms: f64) -> f64 {
    let (previous, elapsed) = (duration(previous_ms), duration(elapsed_ms));
    let wait = isolate::entry(&BACKOFFS, handle, |Entry { backoff, rng }| {
        backoff.delay_within(attempt as u32, previous, elapsed, rng)
    });
    wait.flatten().map_or(-1.0, millis)
}

/// A seed drawn from the schedule's own generator, for a run beside it.
#[napi]
pub fn backoff_seed(handle: u32) -> f64 {
    let bits = isolate::entry(&BACKOFFS, handle, |entry| entry.rng.bits());
    (bits.unwrap_or(0) >> 11) as f64
}

/// Gives the handle back.
#[napi]
pub fn backoff_free(handle: u32) {
    isolate::remove(&BACKOFFS, handle);
}
