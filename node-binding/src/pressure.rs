//! How much the process can bear: see `core/src/pressure`.

use std::sync::Arc;

use napi::bindgen_prelude::{ArrayBuffer, Float64Array};
use napi::{Env, Error, Result};
use napi_derive::napi;
use seawall::Instant;
use seawall::limit::priority::{Ask, Rank};
use seawall::options::Checks;
use seawall::pressure::{Board, Monitor, PressureConfig, Signals, at_work_ms};

use crate::handles::{Policy, free, keep, on};
use crate::options::refused;

/// The monitor of a handle, which may outlive it.
pub(crate) fn monitor(handle: u32) -> Option<Arc<Monitor>> {
    on(handle, |policy| match policy {
        Policy::Pressure(monitor) => Some(Arc::clone(monitor)),
        _ => None,
    })
}

/// Tells the thread that refuses natively.
fn changed() {
    #[cfg(unix)]
    crate::native::refusals::look();
}

/// A handle, or -1 after a refusal.
#[napi]
pub fn pressure_new(options: &[f64], seed: f64) -> f64 {
    let mut checks = Checks::new();
    let config = PressureConfig::from_numbers(options, &mut checks);
    keep(Policy::Pressure(Arc::new(Monitor::of(config, seed as u64))), checks)
}

/// Takes other options; -1 after a refusal.
#[napi]
pub fn pressure_update(handle: u32, options: &[f64]) -> f64 {
    let mut checks = Checks::new();
    let config = PressureConfig::from_numbers(options, &mut checks);
    if let Err(problem) = checks.passed() {
        return refused(&problem);
    }
    if let Some(monitor) = monitor(handle) {
        monitor.become_like(config);
    }
    0.0
}

/// The memory of the board, shared and not copied. To be asked for once.
#[napi]
pub fn pressure_memory(env: Env, handle: u32) -> Result<ArrayBuffer<'static>> {
    let monitor = monitor(handle).ok_or_else(|| Error::from_reason("no such monitor"))?;
    let board = Arc::clone(monitor.board());
    let data = Arc::as_ptr(&board).cast::<u8>().cast_mut();
    // SAFETY: the `Arc` given as the hint keeps the board, which never moves, for as long as the
    // buffer lives. Every word in it is an atomic, so both sides may write while the other reads.
    unsafe {
        ArrayBuffer::from_external(&env, data, size_of::<Board>(), board, |_env, board| drop(board))
    }
}

/// Where the board begins in its memory, in bytes.
#[napi]
pub fn pressure_offset(_handle: u32) -> u32 {
    0
}

/// Takes what was measured, by the places of the signals; NaN is not known.
#[napi]
pub fn pressure_observe(handle: u32, now: f64, signals: &[f64]) {
    if let Some(monitor) = monitor(handle) {
        monitor.observe(Instant::from_millis(now), &Signals::from_numbers(signals));
        changed();
    }
}

/// For how many ms a loop was at work that was busy for `wall` and used the processor for `cpu`.
#[napi]
pub fn pressure_worked(wall: f64, cpu: f64, preempted: bool) -> f64 {
    at_work_ms(wall, cpu, preempted)
}

/// 0 for admitted, else `1 + cause + 32 * seconds`, negative where it is let in all the same.
#[napi]
pub fn pressure_admit(handle: u32, rank: f64, user: Option<String>) -> f64 {
    let ask = Ask { rank: Rank::from_code(rank), user: user.as_deref() };
    monitor(handle).map_or(0.0, |monitor| monitor.admit(&ask).to_code())
}

/// Refuses everybody, or no longer.
#[napi]
pub fn pressure_maintenance(handle: u32, on: bool) {
    if let Some(monitor) = monitor(handle) {
        monitor.set_maintenance(on);
        changed();
    }
}

/// The numbers of a monitor.
#[napi]
pub fn pressure_explain(handle: u32) -> Float64Array {
    let numbers = monitor(handle).map(|monitor| monitor.to_numbers());
    Float64Array::new(numbers.unwrap_or_default())
}

/// Gives the handle back.
#[napi]
pub fn pressure_free(handle: u32) {
    free(handle);
}
