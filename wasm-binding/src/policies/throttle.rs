//! Holding back while calls fail: see `core/src/limit/throttle.rs`.

use seawall::limit::throttle::{Throttle, ThrottleOptions};
use seawall::options::Checks;
use seawall::{Instant, Outcome, Rng};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::numbers::Numbers;
use crate::policies::Policy;

// Not through a pointer: what stands in the table of functions stays in the file of the engine.
#[inline(always)]
fn throttle(handle: u32, act: impl FnOnce(&mut Throttle, &mut Rng)) {
    on(handle, |policy| {
        if let Policy::Throttle(throttle, rng) = policy {
            act(throttle, rng);
        }
        None::<()>
    });
}

fn made(options: Numbers, checks: &mut Checks) -> Throttle {
    Throttle::of(&options.read::<ThrottleOptions>(), checks)
}

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = throttleNew)]
pub fn throttle_new(options: Numbers, seed: f64) -> f64 {
    let mut checks = Checks::new();
    keep(Policy::Throttle(made(options, &mut checks), Rng::new(seed as u64)), checks)
}

/// Takes other options; -1 after a refusal.
#[wasm_bindgen(js_name = throttleUpdate)]
pub fn throttle_update(handle: u32, options: Numbers, now: f64) -> f64 {
    let mut checks = Checks::new();
    let other = made(options, &mut checks);
    let accepted = accept(checks);
    if accepted < 0.0 {
        return accepted;
    }
    throttle(handle, |throttle, _| throttle.become_like(&other, Instant::from_millis(now)));
    accepted
}

/// Counts successes not yet told of, and answers whether a call may begin.
#[wasm_bindgen(js_name = throttleAdmit)]
pub fn throttle_admit(handle: u32, successes: u32, now: f64) -> bool {
    let mut admitted = true;
    throttle(handle, |throttle, rng| {
        throttle.succeeded(successes);
        admitted = throttle.admit(Instant::from_millis(now), rng);
    });
    admitted
}

/// Counts successes not yet told of, and how a call ended. Until the time answered, in ms, calls
/// need not be asked for and successes can be told of later; -1: each must be.
#[wasm_bindgen(js_name = throttleSettle)]
pub fn throttle_settle(handle: u32, successes: u32, outcome: u32, now: f64) -> f64 {
    let mut until = None;
    throttle(handle, |throttle, _| {
        let now = Instant::from_millis(now);
        throttle.succeeded(successes);
        throttle.settle(Outcome::from_code(outcome), now);
        until = throttle.untroubled_until(now);
    });
    until.map_or(-1.0, Instant::as_millis)
}

/// The numbers of a throttle.
#[wasm_bindgen(js_name = throttleExplain)]
pub fn throttle_explain(handle: u32, successes: u32, now: f64) -> Numbers {
    let mut numbers = Vec::new();
    throttle(handle, |throttle, _| {
        throttle.succeeded(successes);
        numbers = throttle.explain(Instant::from_millis(now)).to_numbers();
    });
    numbers.into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = throttleFree)]
pub fn throttle_free(handle: u32) {
    free::<Policy>(handle);
}
