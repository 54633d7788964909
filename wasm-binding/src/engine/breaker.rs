//! Circuit breakers of this isolate by number, and those with a name by name.

use std::cell::RefCell;
use std::sync::Arc;

use seawall::Instant;
use seawall::breaker::{CircuitBreaker, Mode, Named, RawPermit, Settled, Snapshot};
use seawall::door::{Breakers, isolate};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::millis::millis;
use crate::numbers::Numbers;
use crate::options::refused;

thread_local! {
    static BREAKERS: RefCell<Breakers> = const { RefCell::new(Breakers::new()) };
    static NAMED: RefCell<Named> = const { RefCell::new(Named::new()) };
}

#[inline(never)]
pub(crate) fn get(handle: u32, now: f64) -> Option<(Arc<CircuitBreaker>, Instant)> {
    isolate::with(&BREAKERS, |breakers| breakers.get(handle, now))?
}

#[inline(never)]
fn change(handle: u32, now: f64, change: fn(&CircuitBreaker, Instant)) {
    if let Some((breaker, now)) = get(handle, now) {
        change(&breaker, now);
    }
}

/// A breaker, or -1 where its options were refused. With a name it is the isolate's one of that
/// name, whose clock all breakers share.
#[wasm_bindgen(js_name = breakerNew)]
pub fn breaker_new(options: Numbers, seed: f64, name: Option<String>, _now: f64) -> f64 {
    let seed = seed as u64;
    let made = isolate::with(&BREAKERS, |breakers| match name {
        None => Some(breakers.unnamed(&options, seed)),
        Some(name) => {
            isolate::with(&NAMED, |named| breakers.named(named, &name, &options, seed, 0))
        }
    });
    made.flatten().map_or(-1.0, |made| made.map_or_else(|problem| refused(&problem), f64::from))
}

/// Lets a breaker go, whose cell callers may still look at.
#[wasm_bindgen(js_name = breakerFree)]
pub fn breaker_free(handle: u32) {
    isolate::with(&BREAKERS, |breakers| breakers.free(handle));
}

/// Lets a breaker and its cell go.
#[wasm_bindgen(js_name = breakerForget)]
pub fn breaker_forget(handle: u32) {
    isolate::with(&BREAKERS, |breakers| breakers.forget(handle));
}

/// Breakers of this isolate.
#[wasm_bindgen(js_name = breakerCount)]
pub fn breaker_count() -> u32 {
    isolate::with(&BREAKERS, |breakers| breakers.len()).unwrap_or(0)
}

/// The number of the block a breaker's cell lies in: all blocks lie in the one memory.
#[wasm_bindgen(js_name = breakerBlock)]
pub fn breaker_block(_handle: u32) -> u32 {
    0
}

/// Where a breaker's cell begins in the memory, in bytes.
#[wasm_bindgen(js_name = breakerOffset)]
pub fn breaker_offset(handle: u32) -> u32 {
    let cell = isolate::with(&BREAKERS, |breakers| {
        let place = breakers.place(handle)?;
        let cell = breakers.block(place.block)?.cells().get(place.index as usize)?;
        Some(std::ptr::from_ref(cell) as usize)
    });
    cell.flatten().unwrap_or(0) as u32
}

/// A permit (0 or more), or minus the reason of the refusal.
#[wasm_bindgen(js_name = breakerAcquire)]
pub fn breaker_acquire(handle: u32, now: f64) -> f64 {
    let Some((breaker, now)) = get(handle, now) else { return 0.0 };
    match breaker.acquire(now) {
        Ok(permit) => permit.to_code(),
        Err(rejection) => -f64::from(rejection.reason as u8),
    }
}

/// Takes the end of a call: `how` is the outcome plus 4 if it was slow, `open_for` ms or -1.
#[wasm_bindgen(js_name = breakerRecord)]
pub fn breaker_record(
    handle: u32,
    permit: f64,
    how: u32,
    open_for: f64,
    cause: u32,
    wall_ms: f64,
    now: f64,
) {
    if let Some((breaker, now)) = get(handle, now) {
        let settled = Settled::from_codes(how, open_for, cause, wall_ms);
        breaker.record(RawPermit::from_code(permit), settled, now);
    }
}

/// Judges what the cells have counted.
#[wasm_bindgen(js_name = breakerCheck)]
pub fn breaker_check(handle: u32, now: f64) {
    change(handle, now, CircuitBreaker::check);
}

/// Closes it and forgets what it counted.
#[wasm_bindgen(js_name = breakerReset)]
pub fn breaker_reset(handle: u32, now: f64) {
    change(handle, now, CircuitBreaker::reset);
}

/// Opens it as if its rule had.
#[wasm_bindgen(js_name = breakerForceOpen)]
pub fn breaker_force_open(handle: u32, wall_ms: f64, now: f64) {
    if let Some((breaker, now)) = get(handle, now) {
        breaker.force_open(now, wall_ms);
    }
}

/// Holds it isolated once more.
#[wasm_bindgen(js_name = breakerIsolate)]
pub fn breaker_isolate(handle: u32, now: f64) {
    isolate::with(&BREAKERS, |breakers| breakers.hold(handle, now, true));
}

/// Gives one isolation back.
#[wasm_bindgen(js_name = breakerRelease)]
pub fn breaker_release(handle: u32, now: f64) {
    isolate::with(&BREAKERS, |breakers| breakers.hold(handle, now, false));
}

/// 0 enforces, 1 is a dry run, 2 disables.
#[wasm_bindgen(js_name = breakerSetMode)]
pub fn breaker_set_mode(handle: u32, mode: u32, now: f64) {
    if let Some((breaker, now)) = get(handle, now) {
        breaker.set_mode(Mode::from_code(mode), now);
    }
}

/// Gives a breaker other options; -1 where they were refused.
#[wasm_bindgen(js_name = breakerUpdate)]
pub fn breaker_update(handle: u32, options: Numbers, now: f64) -> f64 {
    let updated = isolate::with(&BREAKERS, |breakers| breakers.update(handle, &options, now));
    match updated {
        Some(Err(problem)) => refused(&problem),
        _ => 0.0,
    }
}

/// Above how many ms a call is slow; infinite where no rule asks.
#[wasm_bindgen(js_name = breakerSlowMs)]
pub fn breaker_slow_ms(handle: u32) -> f64 {
    let limit = get(handle, 0.0).and_then(|(breaker, _)| breaker.slow_limit());
    limit.map_or(f64::INFINITY, millis)
}

/// The numbers of `Explanation::to_numbers`.
#[wasm_bindgen(js_name = breakerExplain)]
pub fn breaker_explain(handle: u32, now: f64) -> Numbers {
    let numbers = get(handle, now).map(|(breaker, now)| breaker.explain(now).to_numbers());
    numbers.into()
}

/// Its state, as the numbers of a `Snapshot`.
#[wasm_bindgen(js_name = breakerSnapshot)]
pub fn breaker_snapshot(handle: u32, now: f64) -> Numbers {
    let snapshot = get(handle, now).map(|(breaker, now)| breaker.snapshot(now)).unwrap_or_default();
    snapshot.to_numbers().into()
}

/// Takes the state of such numbers; 0, or -1 where it was refused.
#[wasm_bindgen(js_name = breakerRestore)]
pub fn breaker_restore(handle: u32, snapshot: Numbers, now: f64) -> f64 {
    let snapshot: Snapshot = snapshot.read();
    let Some((breaker, now)) = get(handle, now) else { return 0.0 };
    breaker.restore(&snapshot, now).map_or_else(|problem| refused(&problem), |()| 0.0)
}
