//! How long answers are kept: see `core/src/cache`.

use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;
use seawall::Rng;
use seawall::cache::{CacheOptions, Freshness, RoomOptions};
use seawall::door::numbers;
use seawall::options::Checks;

use crate::handles::{Policy, accept, free, keep, on};
use crate::millis::{duration, millis, some};

/// A handle, or -1 after a refusal.
#[napi]
pub fn cache_new(options: &[f64], seed: f64) -> f64 {
    let mut checks = Checks::new();
    let lifetimes = numbers::read::<CacheOptions>(options).make(&mut checks);
    keep(Policy::Cache(lifetimes, Rng::new(seed as u64)), checks)
}

/// How long an answer that is kept now is fresh, in ms, where `asked_ms` is
/// wanted; NaN for the time to live of the options.
#[napi]
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
#[napi]
pub fn cache_kept(handle: u32, lifespan_ms: f64) -> f64 {
    let kept = on(handle, |policy| match policy {
        Policy::Cache(lifetimes, _) => Some(lifetimes.kept(duration(lifespan_ms))),
        _ => None,
    });
    kept.map_or(0.0, millis)
}

/// What an answer of this age is good for: 0 fresh, 1 stale, 2 on error, 3
/// nothing. One from the future has an age below 0.
#[napi]
pub fn cache_judge(handle: u32, age_ms: f64, lifespan_ms: f64) -> u32 {
    let freshness = on(handle, |policy| match policy {
        Policy::Cache(lifetimes, _) => Some(lifetimes.judge_age(age_ms, duration(lifespan_ms))),
        _ => None,
    });
    freshness.unwrap_or(Freshness::Expired) as u32
}

/// Bytes in memory, ms for the store; empty after a refusal. The options are `RoomOptions`.
#[napi]
pub fn cache_room(options: &[f64]) -> Float64Array {
    let mut checks = Checks::new();
    let room = numbers::read::<RoomOptions>(options).make(&mut checks);
    Float64Array::new(if accept(checks) < 0.0 { Vec::new() } else { room.to_numbers() })
}

/// Gives the handle back.
#[napi]
pub fn cache_free(handle: u32) {
    free(handle);
}
