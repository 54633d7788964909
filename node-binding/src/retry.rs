//! Repeating calls: see `core/src/retry`.

use napi_derive::napi;
use seawall::Rng;
use seawall::classify::Verdict;
use seawall::door::numbers;
use seawall::options::Checks;
use seawall::retry::{Decision, Failure, Reason, RetryOptions};

use crate::handles::{Policy, free, keep, on};
use crate::millis::{duration, millis};

/// A handle, or -1 after a refusal. `backoff` is the handle of a schedule, or -1.
#[napi]
pub fn retry_new(options: &[f64], backoff: f64, seed: f64) -> f64 {
    let schedule = (backoff >= 0.0).then_some(backoff as u32).and_then(|handle| {
        on(handle, |policy| match policy {
            Policy::Backoff(backoff, _) => Some(backoff.clone()),
            _ => None,
        })
    });
    let mut checks = Checks::new();
    let retry = numbers::read::<RetryOptions>(options).make(schedule, &mut checks);
    keep(Policy::Retry(retry, Rng::new(seed as u64)), checks)
}

/// The reason (below 0) why nothing follows try `attempt`, or 0.
#[napi]
pub fn retry_over(handle: u32, attempt: f64, elapsed_ms: f64) -> i32 {
    let elapsed = duration(elapsed_ms);
    let reason = on(handle, |policy| match policy {
        Policy::Retry(retry, _) => retry.over(attempt as u32, elapsed),
        _ => None,
    });
    reason.map_or(0, |reason| reason as i32)
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
    let decision = on(handle, |policy| match policy {
        Policy::Retry(retry, rng) => Some(retry.decide(&failure, rng)),
        _ => None,
    });
    match decision.unwrap_or(Decision::Stop(Reason::Attempts)) {
        Decision::After(wait) => millis(wait),
        Decision::Stop(reason) => f64::from(reason as i8),
    }
}

/// Gives the handle back.
#[napi]
pub fn retry_free(handle: u32) {
    free(handle);
}
