//! A process from its start to its end: see `core/src/lifecycle`.

use seawall::Instant;
use seawall::lifecycle::{Cause, Event, Lifecycle, LifecycleOptions};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{Policy, free, keep, on};
use crate::millis::{duration, millis};
use crate::numbers::Numbers;

#[inline(never)]
fn with<R>(handle: u32, act: impl FnOnce(&mut Lifecycle) -> R) -> Option<R> {
    on(handle, |policy| match policy {
        Policy::Lifecycle(lifecycle) => Some(act(lifecycle)),
        _ => None,
    })
}

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = lifecycleNew)]
pub fn lifecycle_new(options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let lifecycle = options.read::<LifecycleOptions>().make(&mut checks);
    keep(Policy::Lifecycle(Box::new(lifecycle)), checks)
}

/// Begins the end; false if it had begun.
#[wasm_bindgen(js_name = lifecycleBegin)]
pub fn lifecycle_begin(handle: u32, now_ms: f64, cause: u32) -> bool {
    let now = Instant::from_millis(now_ms);
    with(handle, |lifecycle| lifecycle.begin(now, Cause::of(cause))).unwrap_or(false)
}

/// A signal came; what it means.
#[wasm_bindgen(js_name = lifecycleSignal)]
pub fn lifecycle_signal(handle: u32, now_ms: f64, signal: u32) -> u32 {
    let now = Instant::from_millis(now_ms);
    with(handle, |lifecycle| lifecycle.signal(now, signal as u8) as u32).unwrap_or(0)
}

/// Takes an event and the time; the phase.
#[wasm_bindgen(js_name = lifecycleAdvance)]
pub fn lifecycle_advance(handle: u32, now_ms: f64, event: u32) -> u32 {
    let now = Instant::from_millis(now_ms);
    with(handle, |lifecycle| lifecycle.advance(now, Event::of(event)) as u32).unwrap_or(0)
}

/// When the phase changes by time alone, or -1.
#[wasm_bindgen(js_name = lifecycleDue)]
pub fn lifecycle_due(handle: u32) -> f64 {
    with(handle, |lifecycle| lifecycle.due()).flatten().map_or(-1.0, Instant::as_millis)
}

/// What the hooks need together.
#[wasm_bindgen(js_name = lifecycleHooks)]
pub fn lifecycle_hooks(handle: u32, needed_ms: f64) {
    with(handle, |lifecycle| lifecycle.set_hooks(duration(needed_ms)));
}

/// How long the next hook may take.
#[wasm_bindgen(js_name = lifecycleHookLimit)]
pub fn lifecycle_hook_limit(
    handle: u32,
    now_ms: f64,
    own_ms: Option<f64>,
    later_ms: f64,
    open: u32,
) -> f64 {
    let (now, own) = (Instant::from_millis(now_ms), own_ms.map(duration));
    with(handle, |lifecycle| lifecycle.hook_limit(now, own, duration(later_ms), open))
        .map_or(0.0, millis)
}

/// Its times and its budget.
#[wasm_bindgen(js_name = lifecycleTimes)]
pub fn lifecycle_times(handle: u32) -> Numbers {
    with(handle, |lifecycle| lifecycle.to_numbers()).into()
}

/// The code to end with.
#[wasm_bindgen(js_name = lifecycleExitCode)]
pub fn lifecycle_exit_code(handle: u32) -> u32 {
    with(handle, |lifecycle| u32::from(lifecycle.exit_code())).unwrap_or(0)
}

/// Gives the handle back.
#[wasm_bindgen(js_name = lifecycleFree)]
pub fn lifecycle_free(handle: u32) {
    free(handle);
}
