//! Limits by time: see `core/src/limit/rate`.

use seawall::Instant;
use seawall::limit::rate::{Decision, Keys, RateConfig, RateOptions};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::millis::{duration, millis};
use crate::numbers::Numbers;
use crate::policies::Policy;

// Not through a pointer: what stands in the table of functions stays in the file of the engine.
#[inline(always)]
fn rates(handle: u32, act: impl FnOnce(&mut Keys)) {
    on(handle, |policy| {
        if let Policy::Rates(keys) = policy {
            act(keys);
        }
        None::<()>
    });
}

fn config(options: Numbers, checks: &mut Checks) -> RateConfig {
    options.read::<RateOptions>().make(checks)
}

/// 0 for a call that may go, the wait in ms of one that has a place in line, else the reason
/// (below 0).
fn code(decision: Decision) -> f64 {
    match decision {
        Decision::Granted => 0.0,
        Decision::Wait(wait) => millis(wait).max(f64::MIN_POSITIVE),
        Decision::Refused(refusal) => f64::from(refusal as i8),
    }
}

/// Limiters with the same options, `max` at most: a handle, or -1 after a refusal.
#[wasm_bindgen(js_name = rateNew)]
pub fn rate_new(options: Numbers, max: f64, idle_ms: f64) -> f64 {
    let mut checks = Checks::new();
    let config = config(options, &mut checks);
    let keys = Keys::of(config, max, idle_ms, &mut checks);
    keep(Policy::Rates(keys), checks)
}

/// Takes other options for all limiters; -1 after a refusal.
#[wasm_bindgen(js_name = rateUpdate)]
pub fn rate_update(handle: u32, options: Numbers, now: f64) -> f64 {
    let mut checks = Checks::new();
    let config = config(options, &mut checks);
    rates(handle, |keys| keys.update(config, &mut checks, Instant::from_millis(now)));
    accept(checks)
}

/// Makes a limiter and answers its number.
#[wasm_bindgen(js_name = rateAdd)]
pub fn rate_add(handle: u32, now: f64) -> f64 {
    let mut id = -1.0;
    rates(handle, |keys| id = keys.add(Instant::from_millis(now)).into());
    id
}

/// One of those let go for another and not yet told of, or -1.
#[wasm_bindgen(js_name = rateGone)]
pub fn rate_gone(handle: u32) -> f64 {
    let mut gone = None;
    rates(handle, |keys| gone = keys.gone());
    gone.map_or(-1.0, f64::from)
}

/// Lets a limiter go.
#[wasm_bindgen(js_name = rateRemove)]
pub fn rate_remove(handle: u32, id: u32) {
    rates(handle, |keys| keys.remove(id));
}

/// 0: the call may go. Above 0: it has a place in line, and is expected to go after so many ms.
/// Below 0: the reason why it may not.
#[wasm_bindgen(js_name = rateAcquire)]
pub fn rate_acquire(handle: u32, id: u32, permits: u32, max_wait_ms: f64, now: f64) -> f64 {
    let now = Instant::from_millis(now);
    let mut answer = -1.0;
    rates(handle, |keys| answer = code(keys.acquire(id, permits, duration(max_wait_ms), now)));
    answer
}

/// The same for the first in line, who asked for so many permits.
#[wasm_bindgen(js_name = rateAdvance)]
pub fn rate_advance(handle: u32, id: u32, permits: u32, now: f64) -> f64 {
    let mut answer = -1.0;
    rates(handle, |keys| answer = code(keys.advance(id, permits, Instant::from_millis(now))));
    answer
}

/// Gives a place in line back.
#[wasm_bindgen(js_name = rateLeave)]
pub fn rate_leave(handle: u32, id: u32, permits: u32) {
    rates(handle, |keys| keys.leave(id, permits));
}

/// After how many ms so many permits could be had; -1: never.
#[wasm_bindgen(js_name = rateWait)]
pub fn rate_wait(handle: u32, id: u32, permits: u32, now: f64) -> f64 {
    let now = Instant::from_millis(now);
    let mut wait = None;
    rates(handle, |keys| wait = keys.retry_after(id, permits, now));
    wait.map_or(-1.0, millis)
}

/// Lets nothing pass before that time; 0 ends it.
#[wasm_bindgen(js_name = rateHold)]
pub fn rate_hold(handle: u32, id: u32, until: f64) {
    rates(handle, |keys| keys.hold(id, Instant::from_millis(until)));
}

/// The numbers of a limiter.
#[wasm_bindgen(js_name = rateExplain)]
pub fn rate_explain(handle: u32, id: u32, now: f64) -> Numbers {
    let mut explained = None;
    rates(handle, |keys| explained = keys.explain(id, Instant::from_millis(now)));
    explained.map(|state| state.to_numbers()).into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = rateFree)]
pub fn rate_free(handle: u32) {
    free::<Policy>(handle);
}
