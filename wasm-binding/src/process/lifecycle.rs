//! A process from its start to its end: see `core/src/lifecycle`.

use seawall::Instant;
use seawall::lifecycle::{Cause, Event, Lifecycle, LifecycleOptions};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{free, keep, on};
use crate::millis::{duration, millis, some};
use crate::numbers::Numbers;
use crate::process::Policy;

/// What happens to a lifecycle, with the time and a number.
type Act = fn(&mut Lifecycle, Instant, f64) -> f64;

/// Compiled once for all that can happen; -1 where there is no such lifecycle.
#[inline(never)]
fn with(handle: u32, now_ms: f64, number: f64, act: Act) -> f64 {
    let answer = on(handle, |policy| match policy {
        Policy::Lifecycle(lifecycle) => Some(act(lifecycle, Instant::from_millis(now_ms), number)),
        _ => None,
    });
    answer.unwrap_or(-1.0)
}

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = lifecycleNew)]
pub fn lifecycle_new(options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let lifecycle = options.read::<LifecycleOptions>().make(&mut checks);
    keep(Policy::Lifecycle(Box::new(lifecycle)), checks)
}

/// Begins the end; 0 if it had begun, else 1.
#[wasm_bindgen(js_name = lifecycleBegin)]
pub fn lifecycle_begin(handle: u32, now_ms: f64, cause: f64) -> f64 {
    with(handle, now_ms, cause, |lifecycle, now, cause| {
        f64::from(u8::from(lifecycle.begin(now, Cause::of(cause as u32))))
    })
}

/// A signal came; what it means.
#[wasm_bindgen(js_name = lifecycleSignal)]
pub fn lifecycle_signal(handle: u32, now_ms: f64, signal: f64) -> f64 {
    with(handle, now_ms, signal, |lifecycle, now, signal| {
        f64::from(lifecycle.signal(now, signal as u8) as u8)
    })
}

/// Takes an event and the time; the phase.
#[wasm_bindgen(js_name = lifecycleAdvance)]
pub fn lifecycle_advance(handle: u32, now_ms: f64, event: f64) -> f64 {
    with(handle, now_ms, event, |lifecycle, now, event| {
        f64::from(lifecycle.advance(now, Event::of(event as u32)) as u8)
    })
}

/// When the phase changes by time alone, or -1.
#[wasm_bindgen(js_name = lifecycleDue)]
pub fn lifecycle_due(handle: u32) -> f64 {
    with(handle, 0.0, 0.0, |lifecycle, _, _| lifecycle.due().map_or(-1.0, Instant::as_millis))
}

/// What the hooks need together.
#[wasm_bindgen(js_name = lifecycleHooks)]
pub fn lifecycle_hooks(handle: u32, needed_ms: f64) {
    with(handle, 0.0, needed_ms, |lifecycle, _, needed| {
        lifecycle.set_hooks(duration(needed));
        0.0
    });
}

/// How long the next hook may take.
#[wasm_bindgen(js_name = lifecycleHookLimit)]
pub fn lifecycle_hook_limit(
    handle: u32,
    now_ms: f64,
    own_ms: f64,
    later_ms: f64,
    open: u32,
) -> f64 {
    let limit = on(handle, |policy| match policy {
        Policy::Lifecycle(lifecycle) => {
            let (now, own) = (Instant::from_millis(now_ms), some(own_ms).map(duration));
            Some(lifecycle.hook_limit(now, own, duration(later_ms), open))
        }
        _ => None,
    });
    limit.map_or(0.0, millis)
}

/// One of its times.
#[wasm_bindgen(js_name = lifecycleTime)]
pub fn lifecycle_time(handle: u32, which: f64) -> f64 {
    with(handle, 0.0, which, |lifecycle, _, which| lifecycle.figure(which as u32))
}

/// The code to end with.
#[wasm_bindgen(js_name = lifecycleExitCode)]
pub fn lifecycle_exit_code(handle: u32) -> f64 {
    with(handle, 0.0, 0.0, |lifecycle, _, _| f64::from(lifecycle.exit_code()))
}

/// Gives the handle back.
#[wasm_bindgen(js_name = lifecycleFree)]
pub fn lifecycle_free(handle: u32) {
    free::<Policy>(handle);
}
