//! Grades and summaries: see `core/src/health.rs`.

use seawall::health::{CheckConfig, CheckOptions, Summary, is_busy};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::accept;
use crate::millis::{duration, millis, some};
use crate::numbers::Numbers;

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
