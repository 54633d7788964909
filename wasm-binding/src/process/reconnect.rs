//! Connections that are made again: see `core/src/lifecycle/reconnect.rs`.

use seawall::lifecycle::reconnect::{Event, Reconnect};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{free, keep, on};
use crate::millis::duration;
use crate::process::Policy;

/// The handle of a connection that is stable after `stable_ms`, or -1 after a refusal.
#[wasm_bindgen(js_name = reconnectNew)]
pub fn reconnect_new(stable_ms: Option<f64>) -> f64 {
    let mut checks = Checks::new();
    let connection = Reconnect::make(stable_ms, &mut checks);
    keep(Policy::Reconnect(connection), checks)
}

/// The state an event leads to, or -1 where it means nothing.
#[wasm_bindgen(js_name = reconnectOn)]
pub fn reconnect_on(handle: u32, event: u32, now_ms: f64) -> f64 {
    let state = on(handle, |policy| match policy {
        Policy::Reconnect(connection) => connection.on(Event::of(event)?, duration(now_ms)),
        _ => None,
    });
    state.map_or(-1.0, |state| f64::from(state as u8))
}

/// How many attempts have failed one after the other.
#[wasm_bindgen(js_name = reconnectFailures)]
pub fn reconnect_failures(handle: u32) -> f64 {
    let failures = on(handle, |policy| match policy {
        Policy::Reconnect(connection) => Some(connection.failures()),
        _ => None,
    });
    failures.map_or(0.0, f64::from)
}

/// Gives the handle back.
#[wasm_bindgen(js_name = reconnectFree)]
pub fn reconnect_free(handle: u32) {
    free::<Policy>(handle);
}
