//! How much the process can bear: see `core/src/pressure`.

use std::sync::Arc;

use seawall::Instant;
use seawall::limit::priority::{Ask, Rank};
use seawall::options::Checks;
use seawall::pressure::{Monitor, PressureConfig, Signals, at_work_ms};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::numbers::Numbers;
use crate::process::Policy;

#[inline(never)]
fn monitor(handle: u32, act: &mut dyn FnMut(&Monitor)) {
    on(handle, |policy| {
        if let Policy::Pressure(monitor) = policy {
            act(monitor);
        }
        None::<()>
    });
}

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = pressureNew)]
pub fn pressure_new(options: Numbers, seed: f64) -> f64 {
    let mut checks = Checks::new();
    let config = PressureConfig::from_numbers(&options, &mut checks);
    keep(Policy::Pressure(Arc::new(Monitor::of(config, seed as u64))), checks)
}

/// Takes other options; -1 after a refusal.
#[wasm_bindgen(js_name = pressureUpdate)]
pub fn pressure_update(handle: u32, options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let config = PressureConfig::from_numbers(&options, &mut checks);
    let accepted = accept(checks);
    if accepted < 0.0 {
        return accepted;
    }
    monitor(handle, &mut |monitor| monitor.become_like(config));
    accepted
}

/// Where the board begins in the memory, in bytes.
#[wasm_bindgen(js_name = pressureOffset)]
pub fn pressure_offset(handle: u32) -> u32 {
    let mut offset = 0;
    monitor(handle, &mut |monitor| offset = Arc::as_ptr(monitor.board()) as usize);
    offset as u32
}

/// Takes what was measured, by the places of the signals; NaN is not known.
#[wasm_bindgen(js_name = pressureObserve)]
pub fn pressure_observe(handle: u32, now: f64, signals: Numbers) {
    let signals = Signals::from_numbers(&signals);
    monitor(handle, &mut |monitor| monitor.observe(Instant::from_millis(now), &signals));
}

/// For how many ms a loop was at work that was busy for `wall` and used the processor for `cpu`.
#[wasm_bindgen(js_name = pressureWorked)]
pub fn pressure_worked(wall: f64, cpu: f64, preempted: bool) -> f64 {
    at_work_ms(wall, cpu, preempted)
}

/// 0 for admitted, else `1 + cause + 32 * seconds`, negative where it is let in all the same.
#[wasm_bindgen(js_name = pressureAdmit)]
pub fn pressure_admit(handle: u32, rank: f64, user: Option<String>) -> f64 {
    let ask = Ask { rank: Rank::from_code(rank), user: user.as_deref() };
    let mut code = 0.0;
    monitor(handle, &mut |monitor| code = monitor.admit(&ask).to_code());
    code
}

/// Refuses everybody, or no longer.
#[wasm_bindgen(js_name = pressureMaintenance)]
pub fn pressure_maintenance(handle: u32, on: bool) {
    monitor(handle, &mut |monitor| monitor.set_maintenance(on));
}

/// The numbers of a monitor.
#[wasm_bindgen(js_name = pressureExplain)]
pub fn pressure_explain(handle: u32) -> Numbers {
    let mut numbers = Vec::new();
    monitor(handle, &mut |monitor| numbers = monitor.to_numbers());
    numbers.into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = pressureFree)]
pub fn pressure_free(handle: u32) {
    free::<Policy>(handle);
}
