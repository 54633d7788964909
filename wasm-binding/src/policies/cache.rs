//! How long answers are kept: see `core/src/cache`.

use seawall::Rng;
use seawall::cache::{CacheOptions, Freshness, RoomOptions};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::millis::{duration, millis, some};
use crate::numbers::Numbers;
use crate::policies::Policy;

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = cacheNew)]
pub fn cache_new(options: Numbers, seed: f64) -> f64 {
    let mut checks = Checks::new();
    let lifetimes = options.read::<CacheOptions>().make(&mut checks);
    keep(Policy::Cache(lifetimes, Rng::new(seed as u64)), checks)
}

/// How long an answer that is kept now is fresh, in ms, where `asked_ms` is
/// wanted; NaN for the time to live of the options.
#[wasm_bindgen(js_name = cacheLifespan)]
pub fn cache_lifespan(handle: u32, asked_ms: f64) -> f64 {
    let lifespan = on(handle, |policy| match policy {
        Policy::Cache(lifetimes, rng) => {
            Some(lifetimes.lifespan(some(asked_ms).map(duration), rng))
        }
        _ => None,
    });
    lifespan.map_or(0.0, millis)
}

/// How long after it was stored an answer is good for anything, in ms.
#[wasm_bindgen(js_name = cacheKept)]
pub fn cache_kept(handle: u32, lifespan_ms: f64) -> f64 {
    let kept = on(handle, |policy| match policy {
        Policy::Cache(lifetimes, _) => Some(lifetimes.kept(duration(lifespan_ms))),
        _ => None,
    });
    kept.map_or(0.0, millis)
}

/// What an answer of this age is good for: 0 fresh, 1 stale, 2 on error, 3
/// nothing. One from the future has an age below 0.
#[wasm_bindgen(js_name = cacheJudge)]
pub fn cache_judge(handle: u32, age_ms: f64, lifespan_ms: f64) -> u32 {
    let freshness = on(handle, |policy| match policy {
        Policy::Cache(lifetimes, _) => Some(lifetimes.judge_age(age_ms, duration(lifespan_ms))),
        _ => None,
    });
    freshness.unwrap_or(Freshness::Expired) as u32
}

/// Bytes in memory, ms for the store; empty after a refusal. The options are `RoomOptions`.
#[wasm_bindgen(js_name = cacheRoom)]
pub fn cache_room(options: Numbers) -> Numbers {
    let mut checks = Checks::new();
    let room = options.read::<RoomOptions>().make(&mut checks);
    (accept(checks) >= 0.0).then(|| room.to_numbers()).into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = cacheFree)]
pub fn cache_free(handle: u32) {
    free::<Policy>(handle);
}
