//! Grades, summaries and sets of checks: see `core/src/health`.

use std::sync::Arc;

use napi::bindgen_prelude::{ArrayBuffer, Env, Error, Float64Array, Result};
use napi_derive::napi;
use seawall::Instant;
use seawall::door::numbers;
use seawall::health::{
    CheckConfig, CheckOptions, HealthSet, JudgeOptions, Kind, Load, Run, SharedHealth, Summary,
    WatchOptions, is_busy,
};
use seawall::options::{Checks, Problem};

use crate::handles::{Policy, accept, free, keep, on};
use crate::millis::{duration, millis, some};
use crate::options::refused;

fn config(
    timeout_ms: f64,
    degraded_ms: f64,
    unhealthy_ms: f64,
) -> std::result::Result<CheckConfig, Problem> {
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

fn read(handle: u32, act: &mut dyn FnMut(&HealthSet)) {
    if let Some(health) = shared(handle) {
        health.read(act);
    }
}

fn change(handle: u32, now: f64, act: &mut dyn FnMut(&mut HealthSet, Instant) -> bool) -> bool {
    let now = Instant::from_millis(now);
    shared(handle).is_some_and(|health| health.change(now, |set| act(set, now)))
}

fn run(handle: u32, now: f64, act: &mut dyn FnMut(&mut HealthSet, Instant) -> Option<Run>) -> f64 {
    let mut run = None;
    change(handle, now, &mut |set, now| {
        run = act(set, now);
        false
    });
    run.map_or(-1.0, Run::to_code)
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
#[napi]
pub fn health_remove(handle: u32, check: u32, now: f64) {
    change(handle, now, &mut |set, now| {
        set.remove(check, now);
        false
    });
}

/// When the next check wants to run in ms, -1 where none does.
#[napi]
pub fn health_due(handle: u32) -> f64 {
    let mut due = None;
    read(handle, &mut |set| due = set.due());
    due.map_or(-1.0, Instant::as_millis)
}

/// Begins a run of a check that is due, or answers -1.
#[napi]
pub fn health_take(handle: u32, now: f64) -> f64 {
    run(handle, now, &mut HealthSet::take)
}

/// Begins a run of a check, with `if_old` only where it needs one, or answers -1.
#[napi]
pub fn health_begin(handle: u32, check: u32, if_old: bool, now: f64) -> f64 {
    run(handle, now, &mut |set, now| {
        if if_old { set.refresh(check, now) } else { set.begin(check, now) }
    })
}

/// The time of a run is up; whether that counts.
#[napi]
pub fn health_expire(handle: u32, run: f64, now: f64) -> bool {
    change(handle, now, &mut |set, now| set.expire(Run::from_code(run), now))
}

/// A run has ended; whether that counts.
#[napi]
pub fn health_settle(handle: u32, run: f64, passed: bool, now: f64) -> bool {
    change(handle, now, &mut |set, now| set.settle(Run::from_code(run), passed, now))
}

/// Whether no more work is wanted.
#[napi]
pub fn health_drain(handle: u32, draining: bool, now: f64) {
    change(handle, now, &mut |set, now| {
        set.set_draining(draining, now);
        false
    });
}

/// Whether the process cannot recover.
#[napi]
pub fn health_unrecoverable(handle: u32, unrecoverable: bool, now: f64) {
    change(handle, now, &mut |set, now| {
        set.set_unrecoverable(unrecoverable, now);
        false
    });
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
    let (kind, time) = (Kind::from_code(kind), Instant::from_millis(now));
    let mut numbers = Vec::new();
    if accept(checks) >= 0.0 {
        read(handle, &mut |set| {
            let verdict =
                judge.judge(kind, set.verdict(kind, time), Load { block_ms, level }, time);
            numbers = verdict.to_numbers().to_vec();
        });
    }
    Float64Array::new(numbers)
}

/// What is known of a check: `HealthSet::watch_numbers`.
#[napi]
pub fn health_watch(handle: u32, check: u32, now: f64) -> Float64Array {
    let mut numbers = None;
    read(handle, &mut |set| numbers = set.watch_numbers(check, Instant::from_millis(now)));
    Float64Array::new(numbers.unwrap_or_default())
}

/// The words of the answers, shared and not copied: see `Block` in `core/src/health/shared.rs`.
#[napi]
pub fn health_memory(env: Env, handle: u32) -> Result<ArrayBuffer<'static>> {
    let health = shared(handle).ok_or_else(|| Error::from_reason("no such set"))?;
    let words = health.block().words();
    let (data, len) = (words.as_ptr().cast::<u8>().cast_mut(), size_of_val(words));
    // SAFETY: the `Arc` given as the hint keeps the words, which never move, for as long as the
    // buffer lives. Each is an atomic, so a reader may read while a writer writes.
    unsafe { ArrayBuffer::from_external(&env, data, len, health, |_env, health| drop(health)) }
}

/// Gives the handle back.
#[napi]
pub fn health_free(handle: u32) {
    free(handle);
}
