//! Failures on purpose: see `core/src/chaos`.

use napi_derive::napi;
use seawall::Rng;
use seawall::chaos::{ChaosOptions, LoopPauseOptions, Strike, lifespan, longest_life};
use seawall::options::Checks;

use crate::handles::{Policy, accept, free, keep, on};
use crate::millis::{millis, some};

/// A handle, or -1 after a refusal.
#[napi]
pub fn chaos_new(
    enabled: bool,
    rate: Option<f64>,
    latency_ms: Option<f64>,
    max_latency_ms: Option<f64>,
    result: bool,
    seed: f64,
) -> f64 {
    let (enabled, result) = (Some(enabled), Some(result));
    let options = ChaosOptions { enabled, rate, latency_ms, max_latency_ms, result };
    let mut checks = Checks::new();
    keep(Policy::Chaos(options.make(&mut checks), Rng::new(seed as u64)), checks)
}

/// What happens to the next call: -1 nothing, -2 it fails, -3 it answers the
/// prepared result, from 0 on it is held up by so many ms. `rate` is below 0
/// for that of the options.
#[napi]
pub fn chaos_draw(handle: u32, rate: f64) -> f64 {
    let strike = on(handle, |policy| match policy {
        Policy::Chaos(chaos, rng) if rate < 0.0 => chaos.draw(rng),
        Policy::Chaos(chaos, rng) => chaos.draw_at(rate, rng),
        _ => None,
    });
    match strike {
        None => -1.0,
        Some(Strike::Fault) => -2.0,
        Some(Strike::Result) => -3.0,
        Some(Strike::Delay(delay)) => millis(delay),
    }
}

/// Gives the handle back.
#[napi]
pub fn chaos_free(handle: u32) {
    free(handle);
}

/// How long a process lives in ms, at most `longest_ms`; -1 after a refusal.
#[napi]
pub fn chaos_lifespan(longest_ms: f64, seed: f64) -> f64 {
    let mut checks = Checks::new();
    let longest = longest_life(some(longest_ms), &mut checks);
    let life = millis(lifespan(longest, &mut Rng::new(seed as u64)));
    if accept(checks) < 0.0 { -1.0 } else { life }
}

/// A handle, or -1 after a refusal.
#[napi]
pub fn loop_pause_new(
    max_gap_ms: Option<f64>,
    min_pause_ms: Option<f64>,
    max_pause_ms: Option<f64>,
    seed: f64,
) -> f64 {
    let options = LoopPauseOptions { max_gap_ms, min_pause_ms, max_pause_ms };
    let mut checks = Checks::new();
    keep(Policy::LoopPause(options.make(&mut checks), Rng::new(seed as u64)), checks)
}

/// The next pause: the time to it and its length, in ms.
#[napi]
pub fn loop_pause_draw(handle: u32) -> Vec<f64> {
    let pause = on(handle, |policy| match policy {
        Policy::LoopPause(plan, rng) => Some(plan.draw(rng)),
        _ => None,
    });
    pause.map_or(Vec::new(), |pause| vec![millis(pause.after), millis(pause.lasts)])
}

/// Gives the handle back.
#[napi]
pub fn loop_pause_free(handle: u32) {
    free(handle);
}
