//! Schedules of waits: see `core/src/backoff`.

use napi_derive::napi;
use seawall::Rng;
use seawall::backoff::{Backoff, BackoffOptions};
use seawall::door::numbers;

use crate::handles::{Policy, free, keep, on};
use crate::millis::{duration, millis};

/// A handle, or -1 after a refusal.
#[napi]
pub fn backoff_new(options: &[f64], seed: f64) -> f64 {
    let options: BackoffOptions = numbers::read(options).unwrap_or_default();
    let made = options.into_config().and_then(Backoff::new);
    keep(made.map(|backoff| Policy::Backoff(backoff, Rng::new(seed as u64))))
}

/// The wait in ms after attempt `attempt`, or -1 to give up.
#[napi]
pub fn backoff_delay(handle: u32, attempt: f64, previous_ms: f64, elapsed_ms: f64) -> f64 {
    let mut wait = None;
    on(handle, &mut |policy| {
        if let Policy::Backoff(backoff, rng) = policy {
            let (previous, elapsed) = (duration(previous_ms), duration(elapsed_ms));
            wait = backoff.delay_within(attempt as u32, previous, elapsed, rng);
        }
    });
    wait.map_or(-1.0, millis)
}

/// A seed drawn from the schedule's own generator, for a run beside it.
#[napi]
pub fn backoff_seed(handle: u32) -> f64 {
    let mut seed = 0.0;
    on(handle, &mut |policy| {
        if let Policy::Backoff(_, rng) = policy {
            seed = (rng.bits() >> 11) as f64;
        }
    });
    seed
}

/// Gives the handle back.
#[napi]
pub fn backoff_free(handle: u32) {
    free(handle);
}
