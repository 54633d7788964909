//! Grades, summaries and sets of checks: see `core/src/health`.

use seawall::Instant;
use seawall::health::{
    CheckConfig, CheckOptions, HealthSet, JudgeOptions, Kind, Load, Run, SharedHealth, Summary,
    WatchOptions, is_busy,
};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{Policy, accept, free, keep, on};
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

#[inline(never)]
fn health(handle: u32, act: &mut dyn FnMut(&SharedHealth)) {
    on(handle, |policy| {
        if let Policy::Health(health) = policy {
            act(health);
        }
        None::<()>
    });
}

fn read(handle: u32, act: &mut dyn FnMut(&HealthSet)) {
    health(handle, &mut |health| health.read(&mut *act));
}

#[inline(never)]
fn change(handle: u32, now: f64, act: &mut dyn FnMut(&mut HealthSet, Instant) -> bool) -> bool {
    let now = Instant::from_millis(now);
    let mut changed = false;
    health(handle, &mut |health| changed = health.change(now, |set| act(set, now)));
    changed
}

#[inline(never)]
fn run(handle: u32, now: f64, act: &mut dyn FnMut(&mut HealthSet, Instant) -> Option<Run>) -> f64 {
    let mut run = None;
    change(handle, now, &mut |set, now| {
        run = act(set, now);
        false
    });
    run.map_or(-1.0, Run::to_code)
}

/// A set without checks.
#[wasm_bindgen(js_name = healthNew)]
pub fn health_new(now: f64) -> f64 {
    let health = SharedHealth::new(Instant::from_millis(now));
    keep(Policy::Health(health), Checks::new())
}

/// Adds a check and answers its number, or -1 after a refusal.
#[wasm_bindgen(js_name = healthAdd)]
pub fn health_add(handle: u32, options: Numbers, now: f64) -> f64 {
    let mut checks = Checks::new();
    let config = options.read::<WatchOptions>().make(&mut checks);
    let mut id = 0;
    change(handle, now, &mut |set, now| {
        id = set.checked(config, now, &mut checks);
        false
    });
    let accepted = accept(checks);
    if accepted < 0.0 {
        health_remove(handle, id, now);
        return accepted;
    }
    f64::from(id)
}

/// Takes a check out.
#[wasm_bindgen(js_name = healthRemove)]
pub fn health_remove(handle: u32, check: u32, now: f64) {
    change(handle, now, &mut |set, now| {
        set.remove(check, now);
        false
    });
}

/// When the next check wants to run in ms, -1 where none does.
#[wasm_bindgen(js_name = healthDue)]
pub fn health_due(handle: u32) -> f64 {
    let mut due = None;
    read(handle, &mut |set| due = set.due());
    due.map_or(-1.0, Instant::as_millis)
}

/// Begins a run of a check that is due, or answers -1.
#[wasm_bindgen(js_name = healthTake)]
pub fn health_take(handle: u32, now: f64) -> f64 {
    run(handle, now, &mut HealthSet::take)
}

/// Begins a run of a check, with `if_old` only where it needs one, or answers -1.
#[wasm_bindgen(js_name = healthBegin)]
pub fn health_begin(handle: u32, check: u32, if_old: bool, now: f64) -> f64 {
    run(handle, now, &mut |set, now| {
        if if_old { set.refresh(check, now) } else { set.begin(check, now) }
    })
}

/// The time of a run is up; whether that counts.
#[wasm_bindgen(js_name = healthExpire)]
pub fn health_expire(handle: u32, run: f64, now: f64) -> bool {
    change(handle, now, &mut |set, now| set.expire(Run::from_code(run), now))
}

/// A run has ended; whether that counts.
#[wasm_bindgen(js_name = healthSettle)]
pub fn health_settle(handle: u32, run: f64, passed: bool, now: f64) -> bool {
    change(handle, now, &mut |set, now| set.settle(Run::from_code(run), passed, now))
}

/// Whether no more work is wanted.
#[wasm_bindgen(js_name = healthDrain)]
pub fn health_drain(handle: u32, draining: bool, now: f64) {
    change(handle, now, &mut |set, now| {
        set.set_draining(draining, now);
        false
    });
}

/// Whether the process cannot recover.
#[wasm_bindgen(js_name = healthUnrecoverable)]
pub fn health_unrecoverable(handle: u32, unrecoverable: bool, now: f64) {
    change(handle, now, &mut |set, now| {
        set.set_unrecoverable(unrecoverable, now);
        false
    });
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
    let (kind, time) = (Kind::from_code(kind), Instant::from_millis(now));
    let mut numbers = Vec::new();
    if accept(checks) >= 0.0 {
        read(handle, &mut |set| {
            let verdict =
                judge.judge(kind, set.verdict(kind, time), Load { block_ms, level }, time);
            numbers = verdict.to_numbers().to_vec();
        });
    }
    numbers.into()
}

/// What is known of a check: `HealthSet::watch_numbers`.
#[wasm_bindgen(js_name = healthWatch)]
pub fn health_watch(handle: u32, check: u32, now: f64) -> Numbers {
    let mut numbers = None;
    read(handle, &mut |set| numbers = set.watch_numbers(check, Instant::from_millis(now)));
    numbers.into()
}

/// Where the words of the answers lie in memory: see `Block` in `core/src/health/shared.rs`.
#[wasm_bindgen(js_name = healthMemory)]
pub fn health_memory(handle: u32) -> u32 {
    let mut address = 0;
    health(handle, &mut |health| address = health.block().words().as_ptr().addr() as u32);
    address
}

/// Gives the handle back.
#[wasm_bindgen(js_name = healthFree)]
pub fn health_free(handle: u32) {
    free(handle);
}
