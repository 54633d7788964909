//! Circuit breakers of this isolate by number, and those with a name by name in the whole process.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant as Monotonic;

use napi::bindgen_prelude::{ArrayBuffer, Float64Array};
use napi::{Env, Error, Result};
use napi_derive::napi;
use seawall::Instant;
use seawall::breaker::cell::{Block, CELL_BYTES};
use seawall::breaker::{CircuitBreaker, Mode, Named, Place, RawPermit, Settled, Snapshot};
use seawall::door::{Breakers, isolate, numbers};

use crate::options::refused;

/// Shared by all isolates of the process.
static NAMED: Mutex<Named> = Mutex::new(Named::new());

thread_local! {
    static BREAKERS: RefCell<Breakers> = const { RefCell::new(Breakers::new()) };
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn get(handle: u32, now: f64) -> Option<(Arc<CircuitBreaker>, Instant)> {
    isolate::with(&BREAKERS, |breakers| breakers.get(handle, now))?
}

fn change(handle: u32, now: f64, change: fn(&CircuitBreaker, Instant)) {
    if let Some((breaker, now)) = get(handle, now) {
        change(&breaker, now);
    }
}

/// Nanoseconds between the start of the process and that of the isolate's clock, which shows `now` ms.
fn clock_origin(now: f64) -> i64 {
    static START: OnceLock<Monotonic> = OnceLock::new();
    #[allow(clippy::disallowed_methods, reason = "the doors own the clock, not the core")]
    let elapsed = START.get_or_init(Monotonic::now).elapsed();
    i64::try_from(elapsed.as_nanos())
        .unwrap_or(i64::MAX)
        .saturating_sub_unsigned(Instant::from_millis(now).as_nanos())
}

/// A breaker, or -1 where its options were refused. With a name it is the process's one of that
/// name; `now` is what the isolate's clock shows, in ms.
#[napi]
pub fn breaker_new(
    env: Env,
    options: &[f64],
    seed: f64,
    name: Option<String>,
    now: f64,
) -> Result<f64> {
    if !WATCHED.replace(true) {
        env.add_env_cleanup_hook((), |()| _ = isolate::with(&BREAKERS, Breakers::clear))?;
    }
    let seed = seed as u64;
    let made = isolate::with(&BREAKERS, |breakers| match name {
        None => breakers.unnamed(options, seed),
        Some(name) => {
            let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
            breakers.named(&mut named, &name, options, seed, clock_origin(now))
        }
    });
    Ok(made.map_or(-1.0, |made| made.map_or_else(|problem| refused(&problem), f64::from)))
}

/// Lets a breaker go, whose cell callers may still look at.
#[napi]
pub fn breaker_free(handle: u32) {
    isolate::with(&BREAKERS, |breakers| breakers.free(handle));
}

/// Lets a breaker and its cell go.
#[napi]
pub fn breaker_forget(handle: u32) {
    isolate::with(&BREAKERS, |breakers| breakers.forget(handle));
}

/// Breakers of this isolate.
#[napi]
pub fn breaker_count() -> u32 {
    isolate::with(&BREAKERS, |breakers| breakers.len()).unwrap_or(0)
}

fn place(handle: u32) -> Option<Place> {
    isolate::with(&BREAKERS, |breakers| breakers.place(handle))?
}

/// The number of the block a breaker's cell lies in.
#[napi]
pub fn breaker_block(handle: u32) -> u32 {
    place(handle).map_or(0, |place| place.block)
}

/// Where a breaker's cell begins in its block, in bytes.
#[napi]
pub fn breaker_offset(handle: u32) -> u32 {
    place(handle).map_or(0, |place| place.index * CELL_BYTES as u32)
}

/// The memory of a block, shared and not copied.
#[napi]
pub fn breaker_memory(env: Env, block: u32) -> Result<ArrayBuffer<'static>> {
    let block = isolate::with(&BREAKERS, |breakers| breakers.block(block).map(Arc::clone));
    let block = block.flatten().ok_or_else(|| Error::from_reason("no such block"))?;
    shared_memory(&env, block)
}

/// Whether this runtime shares memory with the addon; where it copies, cells cannot work.
#[napi]
pub fn shares_memory(env: Env) -> bool {
    shared_memory(&env, Arc::new(Block::new(1))).is_ok()
}

fn shared_memory(env: &Env, block: Arc<Block>) -> Result<ArrayBuffer<'static>> {
    let data = block.cells().as_ptr().cast::<u8>().cast_mut();
    let len = block.cells().len() * CELL_BYTES;
    // SAFETY: the `Arc` given as the hint keeps the block, which never moves, for as long as the
    // buffer lives. Every word in it is an atomic, so both sides may write while the other reads.
    let buffer =
        unsafe { ArrayBuffer::from_external(env, data, len, block, |_env, block| drop(block))? };
    if !std::ptr::eq(buffer.as_ptr(), data) {
        return Err(Error::from_reason("this runtime copies external memory"));
    }
    Ok(buffer)
}

/// A permit (0 or more), or minus the reason of the refusal.
#[napi]
pub fn breaker_acquire(handle: u32, now: f64) -> f64 {
    let Some((breaker, now)) = get(handle, now) else { return 0.0 };
    match breaker.acquire(now) {
        Ok(permit) => permit.to_code(),
        Err(rejection) => -f64::from(rejection.reason as u8),
    }
}

/// Takes the end of a call: `how` is the outcome plus 4 if it was slow, `open_for` ms or -1.
#[napi]
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
#[napi]
pub fn breaker_check(handle: u32, now: f64) {
    change(handle, now, CircuitBreaker::check);
}

/// Closes it and forgets what it counted.
#[napi]
pub fn breaker_reset(handle: u32, now: f64) {
    change(handle, now, CircuitBreaker::reset);
}

/// Opens it as if its rule had.
#[napi]
pub fn breaker_force_open(handle: u32, wall_ms: f64, now: f64) {
    if let Some((breaker, now)) = get(handle, now) {
        breaker.force_open(now, wall_ms);
    }
}

/// Holds it isolated once more.
#[napi]
pub fn breaker_isolate(handle: u32, now: f64) {
    isolate::with(&BREAKERS, |breakers| breakers.hold(handle, now, true));
}

/// Gives one isolation back.
#[napi]
pub fn breaker_release(handle: u32, now: f64) {
    isolate::with(&BREAKERS, |breakers| breakers.hold(handle, now, false));
}

/// 0 enforces, 1 is a dry run, 2 disables.
#[napi]
pub fn breaker_set_mode(handle: u32, mode: u32, now: f64) {
    if let Some((breaker, now)) = get(handle, now) {
        breaker.set_mode(Mode::from_code(mode), now);
    }
}

/// Gives a breaker other options; -1 where they were refused.
#[napi]
pub fn breaker_update(handle: u32, options: &[f64], now: f64) -> f64 {
    let updated = isolate::with(&BREAKERS, |breakers| breakers.update(handle, options, now));
    match updated {
        Some(Err(problem)) => refused(&problem),
        _ => 0.0,
    }
}

/// Above how many ms a call is slow; infinite where no rule asks.
#[napi]
pub fn breaker_slow_ms(handle: u32) -> f64 {
    let limit = get(handle, 0.0).and_then(|(breaker, _)| breaker.slow_limit());
    limit.map_or(f64::INFINITY, |limit| limit.as_nanos() as f64 / 1e6)
}

/// The numbers of `Explanation::to_numbers`.
#[napi]
pub fn breaker_explain(handle: u32, now: f64) -> Float64Array {
    let numbers = get(handle, now).map(|(breaker, now)| breaker.explain(now).to_numbers());
    Float64Array::new(numbers.unwrap_or_default())
}

/// Its state, as the numbers of a `Snapshot`.
#[napi]
pub fn breaker_snapshot(handle: u32, now: f64) -> Float64Array {
    let snapshot = get(handle, now).map(|(breaker, now)| breaker.snapshot(now)).unwrap_or_default();
    Float64Array::new(snapshot.to_numbers())
}

/// Takes the state of such numbers; 0, or -1 where it was refused.
#[napi]
pub fn breaker_restore(handle: u32, snapshot: &[f64], now: f64) -> f64 {
    let snapshot: Snapshot = numbers::read(snapshot);
    let Some((breaker, now)) = get(handle, now) else { return 0.0 };
    breaker.restore(&snapshot, now).map_or_else(|problem| refused(&problem), |()| 0.0)
}
