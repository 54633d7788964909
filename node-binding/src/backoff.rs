//! Schedules of waits: see `core/src/backoff`.

use std::cell::RefCell;

use napi_derive::napi;
use seawall::Rng;
use seawall::backoff::{Backoff, BackoffOptions};
use seawall::door::{Slab, numbers};

use crate::millis::{duration, millis};
use crate::options::refused;

struct Entry {
    backoff: Backoff,
    rng: Rng,
}

thread_local! {
    static BACKOFFS: RefCell<Slab<Entry>> = const { RefCell::new(Slab::new()) };
}

/// Runs `read` on the schedule of `handle`.
pub(crate) fn with<R>(handle: u32, read: impl FnOnce(Option<&Backoff>) -> R) -> R {
    BACKOFFS.with_borrow(|slab| read(slab.get(handle).map(|entry| &entry.backoff)))
}

/// A handle, or -1 after a refusal.
#[napi]
pub fn backoff_new(options: &[f64], seed: f64) -> f64 {
    let options: BackoffOptions = numbers::read(options);
    let built = options.into_config().and_then(Backoff::new);
    match built {
        Ok(backoff) => {
            let entry = Entry { backoff, rng: Rng::new(seed as u64) };
            BACKOFFS.with_borrow_mut(|slab| slab.insert(entry)).into()
        }
        Err(problem) => refused(problem),
    }
}

/// The wait in ms after attempt `attempt`, or -1 to give up.
#[napi]
pub fn backoff_delay(handle: u32, attempt: f64, previous_ms: f64, elapsed_ms: f64) -> f64 {
    let (previous, elapsed) = (duration(previous_ms), duration(elapsed_ms));
    BACKOFFS.with_borrow_mut(|slab| {
        let Some(Entry { backoff, rng }) = slab.get_mut(handle) else { return -1.0 };
        backoff.delay_within(attempt as u32, previous, elapsed, rng).map_or(-1.0, millis)
    })
}

/// A seed drawn from the schedule's own generator, for a run beside it.
#[napi]
pub fn backoff_seed(handle: u32) -> f64 {
    BACKOFFS.with_borrow_mut(|slab| {
        slab.get_mut(handle).map_or(0.0, |entry| (entry.rng.bits() >> 11) as f64)
    })
}

/// Gives the handle back.
#[napi]
pub fn backoff_free(handle: u32) {
    BACKOFFS.with_borrow_mut(|slab| slab.remove(handle));
}
