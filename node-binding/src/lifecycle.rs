//! A process from its start to its end: see `core/src/lifecycle`.
//!
//! Shared with the threads of `native`, which go on where JavaScript does not.

use std::sync::{Arc, Mutex, PoisonError};

use napi_derive::napi;
use seawall::Instant;
use seawall::door::numbers;
use seawall::lifecycle::{Cause, Event, Lifecycle, LifecycleOptions};
use seawall::options::Checks;

use crate::handles::{Policy, free, keep, on};
use crate::millis::{duration, millis, some};
use crate::native::deadline;

/// What a handle and a thread have in common.
pub(crate) type Shared = Arc<Mutex<Lifecycle>>;

/// The lifecycle of a handle.
pub(crate) fn shared(handle: u32) -> Option<Shared> {
    on(handle, |policy| match policy {
        Policy::Lifecycle(shared) => Some(Arc::clone(shared)),
        _ => None,
    })
}

fn with<R>(handle: u32, act: impl FnOnce(&mut Lifecycle) -> R) -> Option<R> {
    let shared = shared(handle)?;
    let answer = act(&mut shared.lock().unwrap_or_else(PoisonError::into_inner));
    Some(answer)
}

/// A handle, or -1 after a refusal.
#[napi]
pub fn lifecycle_new(options: &[f64]) -> f64 {
    let mut checks = Checks::new();
    let lifecycle = numbers::read::<LifecycleOptions>(options).make(&mut checks);
    keep(Policy::Lifecycle(Arc::new(Mutex::new(lifecycle))), checks)
}

/// Begins the end; 0 if it had begun, else 1.
#[napi]
pub fn lifecycle_begin(handle: u32, now_ms: f64, cause: f64) -> f64 {
    let now = Instant::from_millis(now_ms);
    let begun =
        with(handle, |lifecycle| lifecycle.begin(now, Cause::of(cause as u32))).unwrap_or(false);
    deadline::look();
    f64::from(u8::from(begun))
}

/// A signal came; what it means.
#[napi]
pub fn lifecycle_signal(handle: u32, now_ms: f64, signal: u32) -> u32 {
    let now = Instant::from_millis(now_ms);
    let repeat = with(handle, |lifecycle| lifecycle.signal(now, signal as u8) as u32).unwrap_or(0);
    deadline::look();
    repeat
}

/// Takes an event and the time; the phase.
#[napi]
pub fn lifecycle_advance(handle: u32, now_ms: f64, event: u32) -> u32 {
    let now = Instant::from_millis(now_ms);
    with(handle, |lifecycle| lifecycle.advance(now, Event::of(event)) as u32).unwrap_or(0)
}

/// When the phase changes by time alone, or -1.
#[napi]
pub fn lifecycle_due(handle: u32) -> f64 {
    with(handle, |lifecycle| lifecycle.due()).flatten().map_or(-1.0, Instant::as_millis)
}

/// What the hooks need together.
#[napi]
pub fn lifecycle_hooks(handle: u32, needed_ms: f64) {
    with(handle, |lifecycle| lifecycle.set_hooks(duration(needed_ms)));
}

/// How long the next hook may take.
#[napi]
pub fn lifecycle_hook_limit(
    handle: u32,
    now_ms: f64,
    own_ms: f64,
    later_ms: f64,
    open: u32,
) -> f64 {
    let (now, own) = (Instant::from_millis(now_ms), some(own_ms).map(duration));
    with(handle, |lifecycle| lifecycle.hook_limit(now, own, duration(later_ms), open))
        .map_or(0.0, millis)
}

/// One of its times.
#[napi]
pub fn lifecycle_time(handle: u32, which: u32) -> f64 {
    with(handle, |lifecycle| lifecycle.figure(which)).unwrap_or(-1.0)
}

/// The code to end with.
#[napi]
pub fn lifecycle_exit_code(handle: u32) -> u32 {
    with(handle, |lifecycle| u32::from(lifecycle.exit_code())).unwrap_or(0)
}

/// Gives the handle back.
#[napi]
pub fn lifecycle_free(handle: u32) {
    free(handle);
}
