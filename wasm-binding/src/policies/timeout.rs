//! Time-outs: see `core/src/timeout`.

use seawall::Instant;
use seawall::options::Checks;
use seawall::timeout::{self, Late, Reason, TimeoutOptions};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::millis::{duration, some};
use crate::numbers::Numbers;
use crate::policies::Policy;

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = timeoutNew)]
pub fn timeout_new(options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let timeout = options.read::<TimeoutOptions>().make(&mut checks);
    keep(Policy::Timeout(timeout), checks)
}

/// Takes other options and keeps the latencies: 0, or -1 after a refusal.
#[wasm_bindgen(js_name = timeoutUpdate)]
pub fn timeout_update(handle: u32, options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let other = options.read::<TimeoutOptions>().make(&mut checks);
    let accepted = accept(checks);
    if accepted < 0.0 {
        return accepted;
    }
    on(handle, |policy| match policy {
        Policy::Timeout(timeout) => {
            timeout.become_like(other);
            Some(())
        }
        _ => None,
    });
    accepted
}

/// Records latencies in ms and answers what holds for tries that begin now.
#[wasm_bindgen(js_name = timeoutRecord)]
pub fn timeout_record(handle: u32, latencies: Numbers, now: f64) -> Numbers {
    let now = Instant::from_millis(now);
    let limits = on(handle, |policy| match policy {
        Policy::Timeout(timeout) => {
            latencies.iter().for_each(|latency| timeout.record(duration(*latency), now));
            Some(timeout.limits(now).numbers())
        }
        _ => None,
    });
    limits.map(Vec::from).into()
}

/// How long a try may take in ms, or the reason (below 0) why it is not begun.
#[wasm_bindgen(js_name = timeoutLimit)]
pub fn timeout_limit(handle: u32, own: f64, left: f64, now: f64) -> f64 {
    let left = left.is_finite().then(|| duration(left));
    let limit = on(handle, |policy| match policy {
        Policy::Timeout(timeout) => {
            Some(timeout.limit(some(own).map(duration), left, Instant::from_millis(now)))
        }
        _ => None,
    });
    match limit.unwrap_or(Err(Reason::Passed)) {
        Ok(limit) => timeout::millis(limit),
        Err(reason) => f64::from(reason as i8),
    }
}

/// What a timer that fired late says of the try whose time is up (`Late` in the core).
#[wasm_bindgen(js_name = timeoutLate)]
pub fn timeout_late(handle: u32, late: f64) -> u32 {
    let late = on(handle, |policy| match policy {
        Policy::Timeout(timeout) => Some(timeout.late(duration(late))),
        _ => None,
    });
    late.unwrap_or(Late::No) as u32
}

/// How many latencies are known, their median and a quantile of them in ms (NaN for none).
#[wasm_bindgen(js_name = timeoutExplain)]
pub fn timeout_explain(handle: u32, quantile: f64, now: f64) -> Numbers {
    let now = Instant::from_millis(now);
    let known = on(handle, |policy| match policy {
        Policy::Timeout(timeout) => {
            let mut at =
                |quantile| timeout.quantile(quantile, now).map_or(f64::NAN, timeout::millis);
            let (median, tail) = (at(0.5), at(quantile));
            Some(vec![f64::from(timeout.count(now)), median, tail])
        }
        _ => None,
    });
    known.into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = timeoutFree)]
pub fn timeout_free(handle: u32) {
    free::<Policy>(handle);
}

/// The time left that a header tells, in ms, or -1.
#[wasm_bindgen(js_name = timeoutRemaining)]
pub fn timeout_remaining(header: &str) -> f64 {
    timeout::remaining(header).map_or(-1.0, timeout::millis)
}
