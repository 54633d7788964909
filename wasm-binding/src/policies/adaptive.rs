//! Adaptive limits: see `core/src/limit/adaptive`.

use seawall::Instant;
use seawall::limit::adaptive::AdaptiveOptions;
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::numbers::Numbers;
use crate::policies::Policy;

/// A handle, or -1 after a refusal; `options` are the numbers of `AdaptiveOptions`.
#[wasm_bindgen(js_name = adaptiveNew)]
pub fn adaptive_new(options: Numbers, seed: f64, now: f64) -> f64 {
    let mut checks = Checks::new();
    let options: AdaptiveOptions = options.read();
    let limiter = options.make(seed as u64, Instant::from_millis(now), &mut checks);
    keep(Policy::Adaptive(Box::new(limiter)), checks)
}

/// Takes the first `count` of `samples`, the calls in flight and the most there were since the
/// last time, and answers the numbers of `Terms`.
#[wasm_bindgen(js_name = adaptiveTake)]
pub fn adaptive_take(
    handle: u32,
    samples: Numbers,
    count: u32,
    in_flight: u32,
    peak: u32,
    now: f64,
) -> Numbers {
    let samples = samples.get(..count as usize).unwrap_or(&samples);
    let terms = on(handle, |policy| match policy {
        Policy::Adaptive(limiter) => {
            Some(limiter.take(samples, in_flight, peak, Instant::from_millis(now)))
        }
        _ => None,
    });
    terms.map(|terms| terms.to_numbers()).into()
}

/// Goes on with other options; 0, or -1 after a refusal.
#[wasm_bindgen(js_name = adaptiveUpdate)]
pub fn adaptive_update(handle: u32, options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let config = options.read::<AdaptiveOptions>().config(&mut checks);
    let accepted = accept(checks);
    if accepted < 0.0 {
        return accepted;
    }
    on(handle, |policy| match policy {
        Policy::Adaptive(limiter) => {
            limiter.change_to(config);
            Some(())
        }
        _ => None,
    });
    accepted
}

/// The numbers of `Explanation`.
#[wasm_bindgen(js_name = adaptiveExplain)]
pub fn adaptive_explain(handle: u32, now: f64) -> Numbers {
    let explanation = on(handle, |policy| match policy {
        Policy::Adaptive(limiter) => Some(limiter.explain(Instant::from_millis(now))),
        _ => None,
    });
    explanation.map(|explanation| explanation.to_numbers()).into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = adaptiveFree)]
pub fn adaptive_free(handle: u32) {
    free::<Policy>(handle);
}
