//! Grades, summaries and sets of checks: see `core/src/health`.

use seawall::Instant;
use seawall::door::health::tell;
use seawall::health::{
    CheckConfig, CheckOptions, HealthSet, JudgeOptions, Kind, Load, Summary, WatchOptions, is_busy,
};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::millis::{duration, millis, some};
use crate::numbers::Numbers;
use crate::process::Policy;

fn config(
    timeout_ms: f64,
    degraded_ms: f64,
    unhealthy_ms: f64,
    checks: &mut Checks,
) -> CheckConfig {
    let options = CheckOptions {
        timeout_ms: some(timeout_ms),
        degraded_ms: some(degraded_ms),
        unhealthy_ms: some(unhealthy_ms),
        interval_ms: None,
    };
    options.make(checks)
}

/// `number`, or -1 after a refusal.
#[inline(never)]
fn unless_refused(number: f64, checks: Checks) -> f64 {
    let accepted = accept(checks);
    if accepted < 0.0 { accepted } else { number }
}

/// The time limit of a check in ms, or -1 after a refusal. NaN is the default.
#[wasm_bindgen(js_name = healthTimeout)]
pub fn health_timeout(timeout_ms: f64, degraded_ms: f64, unhealthy_ms: f64) -> f64 {
    let mut checks = Checks::new();
    let config = config(timeout_ms, degraded_ms, unhealthy_ms, &mut checks);
    unless_refused(millis(config.timeout), checks)
}

/// From one check to the next in ms, or -1 after a refusal. NaN is the default.
#[wasm_bindgen(js_name = healthInterval)]
pub fn health_interval(interval_ms: f64) -> f64 {
    let mut checks = Checks::new();
    let options = CheckOptions { interval_ms: some(interval_ms), ..CheckOptions::default() };
    let config = options.make(&mut checks);
    unless_refused(millis(config.interval), checks)
}

/// The grade of a latency, or -1 after a refusal. NaN is the default.
#[wasm_bindgen(js_name = healthGrade)]
pub fn health_grade(latency_ms: f64, degraded_ms: f64, unhealthy_ms: f64) -> f64 {
    let mut checks = Checks::new();
    let config = config(f64::NAN, degraded_ms, unhealthy_ms, &mut checks);
    unless_refused(f64::from(config.grade(duration(latency_ms)) as u8), checks)
}

/// Count, mean, min, max, p95, p99, slow, many slow, near the limit; empty for no durations.
#[wasm_bindgen(js_name = healthSummary)]
pub fn health_summary(durations: Numbers, slow_above: f64) -> Numbers {
    let numbers = Summary::of(&durations, slow_above).map(|summary| {
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
    numbers.into()
}

/// Whether nearly all connections are in use.
#[wasm_bindgen(js_name = healthBusy)]
pub fn health_busy(active: f64, total: f64) -> bool {
    is_busy(active, total)
}

#[inline(never)]
fn on_set(handle: u32, act: &mut dyn FnMut(&mut HealthSet)) {
    on(handle, |policy| {
        if let Policy::Health(set) = policy {
            act(set);
        }
        None::<()>
    });
}

/// A set without checks.
#[wasm_bindgen(js_name = healthNew)]
pub fn health_new(now: f64) -> f64 {
    keep(Policy::Health(HealthSet::new(Instant::from_millis(now))), Checks::new())
}

/// Adds a check and answers its number, or -1 after a refusal.
#[wasm_bindgen(js_name = healthAdd)]
pub fn health_add(handle: u32, options: Numbers, now: f64) -> f64 {
    let mut checks = Checks::new();
    let config = options.read::<WatchOptions>().make(&mut checks);
    let accepted = accept(checks);
    let mut id = 0;
    if accepted >= 0.0 {
        on_set(handle, &mut |set| id = set.insert(config, Instant::from_millis(now)));
    }
    f64::from(id) + accepted
}

/// Tells of an event: see `core/src/door/health.rs`.
#[wasm_bindgen(js_name = healthTell)]
pub fn health_tell(handle: u32, event: u32, subject: f64, now: f64) -> f64 {
    let mut answer = -1.0;
    on_set(handle, &mut |set| answer = tell(set, event, subject, Instant::from_millis(now)));
    answer
}

/// The answer to a question under these limits and this load: `Verdict::to_numbers`; nothing after
/// a refusal.
#[wasm_bindgen(js_name = healthVerdict)]
pub fn health_verdict(
    handle: u32,
    kind: u32,
    limits: Numbers,
    block_ms: f64,
    level: f64,
    now: f64,
) -> Numbers {
    let mut checks = Checks::new();
    let judge = limits.read::<JudgeOptions>().make(&mut checks);
    let (kind, now) = (Kind::from_code(kind), Instant::from_millis(now));
    let mut numbers = Vec::new();
    if accept(checks) >= 0.0 {
        on_set(handle, &mut |set| {
            let verdict = judge.judge(kind, set.verdict(kind, now), Load { block_ms, level }, now);
            numbers = verdict.to_numbers().to_vec();
        });
    }
    numbers.into()
}

/// What is known of a check: `HealthSet::watch_numbers`.
#[wasm_bindgen(js_name = healthWatch)]
pub fn health_watch(handle: u32, check: u32, now: f64) -> Numbers {
    let mut numbers = None;
    on_set(handle, &mut |set| numbers = set.watch_numbers(check, Instant::from_millis(now)));
    numbers.map(Vec::from).into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = healthFree)]
pub fn health_free(handle: u32) {
    free::<Policy>(handle);
}
