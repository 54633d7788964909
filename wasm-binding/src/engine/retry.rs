//! Repeating calls: see `core/src/retry`.

use seawall::Rng;
use seawall::options::Checks;
use seawall::retry::{Decision, FailureNumbers, Reason, RetryOptions};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::engine::Policy;
use crate::handles::{free, keep, on};
use crate::millis::{duration, millis};
use crate::numbers::Numbers;

/// A handle, or -1 after a refusal. `backoff` is the handle of a schedule, or -1.
#[wasm_bindgen(js_name = retryNew)]
pub fn retry_new(options: Numbers, backoff: f64, seed: f64) -> f64 {
    let schedule = (backoff >= 0.0).then_some(backoff as u32).and_then(|handle| {
        on(handle, |policy| match policy {
            Policy::Backoff(backoff, _) => Some(backoff.clone()),
            _ => None,
        })
    });
    let mut checks = Checks::new();
    let retry = options.read::<RetryOptions>().make(schedule, &mut checks);
    keep(Policy::Retry(retry, Rng::new(seed as u64)), checks)
}

/// The reason (below 0) why nothing follows try `attempt`, or 0.
#[wasm_bindgen(js_name = retryOver)]
pub fn retry_over(handle: u32, attempt: f64, elapsed_ms: f64) -> i32 {
    let elapsed = duration(elapsed_ms);
    let reason = on(handle, |policy| match policy {
        Policy::Retry(retry, _) => retry.over(attempt as u32, elapsed),
        _ => None,
    });
    reason.map_or(0, |reason| reason as i32)
}

/// The wait in ms before the next try, or the reason (below 0) why there is
/// none. The failure is the numbers of `FailureNumbers`.
#[wasm_bindgen(js_name = retryDecide)]
pub fn retry_decide(handle: u32, failure: Numbers) -> f64 {
    let failure = failure.read::<FailureNumbers>().failure();
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
#[wasm_bindgen(js_name = retryFree)]
pub fn retry_free(handle: u32) {
    free::<Policy>(handle);
}
