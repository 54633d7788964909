//! Repeating calls: see `core/src/retry`.

use std::cell::RefCell;

use napi_derive::napi;
use seawall::Rng;
use seawall::classify::Verdict;
use seawall::door::{Slab, numbers};
use seawall::retry::{Decision, Failure, Retry, RetryOptions};

use crate::millis::{duration, millis};
use crate::options::refused;

struct Entry {
    retry: Retry,
    rng: Rng,
}

thread_local! {
    static RETRIES: RefCell<Slab<Entry>> = const { RefCell::new(Slab::new()) };
}

/// A handle, or -1 after a refusal. `backoff` is the handle of a schedule, or -1.
#[napi]
pub fn retry_new(options: &[f64], backoff: f64, seed: f64) -> f64 {
    let options: RetryOptions = numbers::read(options);
    let built = if backoff < 0.0 {
        options.build(None)
    } else {
        crate::backoff::with(backoff as u32, |backoff| options.build(backoff))
    };
    match built {
        Ok(retry) => {
            let entry = Entry { retry, rng: Rng::new(seed as u64) };
            RETRIES.with_borrow_mut(|slab| slab.insert(entry)).into()
        }
        Err(problem) => refused(problem),
    }
}

/// The reason (below 0) why nothing follows try `attempt`, or 0.
#[napi]
pub fn retry_over(handle: u32, attempt: f64, elapsed_ms: f64) -> i32 {
    RETRIES.with_borrow(|slab| {
        let reason = slab
            .get(handle)
            .and_then(|entry| entry.retry.over(attempt as u32, duration(elapsed_ms)));
        reason.map_or(0, |reason| reason as i32)
    })
}

/// The wait in ms before the next try, or the reason (below 0) why there is
/// none. `verdict` is -1 where it is unknown, `retry_after_ms` is -1 where no
/// wait was asked for, `wanted` is 1, 0 or -1 for no word.
#[napi]
pub fn retry_decide(
    handle: u32,
    attempt: f64,
    elapsed_ms: f64,
    previous_ms: f64,
    verdict: f64,
    retry_after_ms: f64,
    wanted: f64,
) -> f64 {
    let asked = (retry_after_ms >= 0.0).then(|| duration(retry_after_ms));
    let failure = Failure {
        attempt: attempt as u32,
        elapsed: duration(elapsed_ms),
        previous: duration(previous_ms),
        verdict: (verdict >= 0.0).then(|| Verdict::from_bits(verdict as u32, asked)),
        wanted: (wanted >= 0.0).then_some(wanted > 0.0),
    };
    RETRIES.with_borrow_mut(|slab| {
        let Some(Entry { retry, rng }) = slab.get_mut(handle) else { return -2.0 };
        match retry.decide(&failure, rng) {
            Decision::After(wait) => millis(wait),
            Decision::Stop(reason) => f64::from(reason as i8),
        }
    })
}

/// Gives the handle back.
#[napi]
pub fn retry_free(handle: u32) {
    RETRIES.with_borrow_mut(|slab| slab.remove(handle));
}
