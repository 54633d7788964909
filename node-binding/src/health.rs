//! Grades, summaries and sets of checks: see `core/src/health`.

use std::sync::Arc;

use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;
use seawall::Instant;
use seawall::door::health::tell;
use seawall::door::numbers;
use seawall::health::{
    CheckConfig, CheckOptions, JudgeOptions, Kind, Load, SharedHealth, Summary, WatchOptions,
    is_busy,
};
use seawall::options::{Checks, Problem};

use crate::handles::{Policy, accept, free, keep, on};
use crate::millis::{duration, millis, some};
use crate::options::refused;

fn config(timeout_ms: f64, degraded_ms: f64, unhealthy_ms: f64) -> Result<CheckConfig, Problem> {
    let options = CheckOptions {
        timeout_ms: some(timeout_ms),
        degraded_ms: some(degraded_ms),
        unhealthy_ms: some(unhealthy_ms),
        interval_ms: None,
    };
    options.into_config()
}

/// The time limit of a check in ms, or -1 after a refusal. NaN is the default.
#[napi]
pub fn health_timeout(timeout_ms: f64, degraded_ms: f64, unhealthy_ms: f64) -> f64 {
    config(timeout_ms, degraded_ms, unhealthy_ms)
        .map_or_else(|problem| refused(&problem), |config| millis(config.timeout))
}

/// From one check to the next in ms, or -1 after a refusal. NaN is the default.
#[napi]
pub fn health_interval(interval_ms: f64) -> f64 {
    CheckOptions { interval_ms: some(interval_ms), ..CheckOptions::default() }
        .into_config()
        .map_or_else(|problem| refused(&problem), |config| millis(config.interval))
}

/// The grade of a latency, or -1 after a refusal. NaN is the default.
#[napi]
pub fn health_grade(latency_ms: f64, degraded_ms: f64, unhealthy_ms: f64) -> f64 {
    config(f64::NAN, degraded_ms, unhealthy_ms).map_or_else(
        |problem| refused(&problem),
        |config| f64::from(config.grade(duration(latency_ms)) as u8),
    )
}

/// Count, mean, min, max, p95, p99, slow, many slow, near the limit; empty for no durations.
#[napi]
pub fn health_summary(durations: &[f64], slow_above: f64) -> Float64Array {
    let numbers = Summary::of(durations, slow_above).map(|summary| {
        let advice = summary.advice(slow_above);
        vec![
            summary.count as f64,
            summary.mean,
            summary.min,
            summary.max,
            summary.p95,
            summary.p99,
            summary.slow as f64,
            f64::from(advice.many_slow),
            f64::from(advice.near_limit),
        ]
    });
    Float64Array::new(numbers.unwrap_or_default())
}

/// Whether nearly all connections are in use.
#[napi]
pub fn health_busy(active: f64, total: f64) -> bool {
    is_busy(active, total)
}

/// The set of a handle.
pub(crate) fn shared(handle: u32) -> Option<Arc<SharedHealth>> {
    on(handle, |policy| match policy {
        Policy::Health(health) => Some(Arc::clone(health)),
        _ => None,
    })
}

/// A set without checks.
#[napi]
pub fn health_new(now: f64) -> f64 {
    let health = SharedHealth::new(Instant::from_millis(now));
    keep(Policy::Health(Arc::new(health)), Checks::new())
}

/// Adds a check and answers its number, or -1 after a refusal.
#[napi]
pub fn health_add(handle: u32, options: &[f64], now: f64) -> f64 {
    let mut checks = Checks::new();
    let config = numbers::read::<WatchOptions>(options).make(&mut checks);
    let accepted = accept(checks);
    let now = Instant::from_millis(now);
    let add = |health: Arc<SharedHealth>| health.change(now, |set| set.insert(config, now));
    let id = if accepted >= 0.0 { shared(handle).map(add) } else { None };
    f64::from(id.unwrap_or_default()) + accepted
}

/// Tells of an event: see `core/src/door/health.rs`.
#[napi]
pub fn health_tell(handle: u32, event: u32, subject: f64, now: f64) -> f64 {
    let now = Instant::from_millis(now);
    let health = shared(handle);
    health.map_or(-1.0, |health| health.change(now, |set| tell(set, event, subject, now)))
}

/// The answer to a question under these limits and this load: `Verdict::to_numbers`; nothing after
/// a refusal.
#[napi]
pub fn health_verdict(
    handle: u32,
    kind: u32,
    limits: &[f64],
    block_ms: f64,
    level: f64,
    now: f64,
) -> Float64Array {
    let mut checks = Checks::new();
    let judge = numbers::read::<JudgeOptions>(limits).make(&mut checks);
    let (kind, now) = (Kind::from_code(kind), Instant::from_millis(now));
    let health = if accept(checks) >= 0.0 { shared(handle) } else { None };
    let verdict = health.map(|health| {
        let verdict = health.read(|set| set.verdict(kind, now));
        judge.judge(kind, verdict, Load { block_ms, level }, now).to_numbers()
    });
    Float64Array::new(verdict.map(Vec::from).unwrap_or_default())
}

/// What is known of a check: `HealthSet::watch_numbers`.
#[napi]
pub fn health_watch(handle: u32, check: u32, now: f64) -> Float64Array {
    let now = Instant::from_millis(now);
    let numbers =
        shared(handle).and_then(|health| health.read(|set| set.watch_numbers(check, now)));
    Float64Array::new(numbers.map(Vec::from).unwrap_or_default())
}

/// Gives the handle back.
#[napi]
pub fn health_free(handle: u32) {
    free(handle);
}
