//! Hedges: see `core/src/hedge`.

use seawall::Instant;
use seawall::hedge::{HedgeOptions, Reason};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::millis::{duration, millis, some};
use crate::numbers::Numbers;
use crate::policies::Policy;

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = hedgeNew)]
pub fn hedge_new(options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let hedge = options.read::<HedgeOptions>().make(&mut checks);
    keep(Policy::Hedge(hedge), checks)
}

/// Takes other options and keeps the latencies: 0, or -1 after a refusal.
#[wasm_bindgen(js_name = hedgeUpdate)]
pub fn hedge_update(handle: u32, options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let other = options.read::<HedgeOptions>().make(&mut checks);
    let accepted = accept(checks);
    if accepted < 0.0 {
        return accepted;
    }
    on(handle, |policy| match policy {
        Policy::Hedge(hedge) => {
            hedge.become_like(other);
            Some(())
        }
        _ => None,
    });
    accepted
}

/// Records latencies in ms and answers the usual delay (-1 for no hedge), how many more may be
/// gathered before the next time, and how many are known.
#[wasm_bindgen(js_name = hedgeRecord)]
pub fn hedge_record(handle: u32, latencies: Numbers, now: f64) -> Numbers {
    let now = Instant::from_millis(now);
    let usual = on(handle, |policy| match policy {
        Policy::Hedge(hedge) => {
            latencies.iter().for_each(|latency| hedge.record(duration(*latency), now));
            let (ask_after, count) = (hedge.ask_after(now), hedge.count(now));
            Some(vec![hedge.usual(now).map_or(-1.0, millis), ask_after.into(), count.into()])
        }
        _ => None,
    });
    usual.into()
}

/// How many ms after try `begun` the next one begins, or the reason (below 0) why none does.
#[wasm_bindgen(js_name = hedgeDelay)]
pub fn hedge_delay(handle: u32, begun: u32, own: f64, left: f64, now: f64) -> f64 {
    let left = left.is_finite().then(|| duration(left));
    let delay = on(handle, |policy| match policy {
        Policy::Hedge(hedge) => {
            Some(hedge.delay(begun, some(own).map(duration), left, Instant::from_millis(now)))
        }
        _ => None,
    });
    match delay.unwrap_or(Err(Reason::Most)) {
        Ok(delay) => millis(delay),
        Err(reason) => f64::from(reason as i8),
    }
}

/// Gives the handle back.
#[wasm_bindgen(js_name = hedgeFree)]
pub fn hedge_free(handle: u32) {
    free::<Policy>(handle);
}
