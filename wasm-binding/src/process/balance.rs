//! Which worker is next, and when a dead one is started again: see `core/src/balance`.

use seawall::balance::{
    RespawnOptions, Respawned, Strategy, Weights, heap_share, is_stale, kill_ms, lightest,
    linger_ms, plain, round_robin, start_ms, worker_count,
};
use seawall::options::Checks;
use seawall::{Instant, Rng};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{free, keep, on};
use crate::numbers::Numbers;
use crate::process::Policy;

/// Which of `count` is next after `previous` choices; -1 of none.
#[wasm_bindgen(js_name = balanceTurn)]
pub fn balance_turn(previous: f64, count: u32) -> i32 {
    round_robin(previous as u64, count as usize).map_or(-1, |index| index as i32)
}

/// Which is the lightest, by four numbers for each: connections, percent of a processor, bytes of
/// the heap in use and of the heap; -1 of none.
#[wasm_bindgen(js_name = balanceLightest)]
pub fn balance_lightest(loads: Numbers, connection: f64, cpu: f64, heap: f64) -> i32 {
    lightest(&loads, &Weights { connection, cpu, heap }).map_or(-1, |index| index as i32)
}

/// The limit in MiB for the heap of each of `workers`; 0: none is needed.
#[wasm_bindgen(js_name = balanceHeap)]
pub fn balance_heap(limit: f64, total: f64, workers: u32) -> u32 {
    heap_share(limit, total, workers).unwrap_or(0)
}

/// One choice by the strategy of this number, by requests under way and ms an answer takes of each;
/// -1 of none.
#[wasm_bindgen(js_name = balancePlain)]
pub fn balance_plain(strategy: u8, loads: Numbers, seed: f64) -> i32 {
    Strategy::from_number(strategy)
        .and_then(|strategy| plain(strategy, &loads, seed as u64))
        .map_or(-1, |index| index as i32)
}

/// How many workers are meant by a number.
#[wasm_bindgen(js_name = balanceWorkers)]
pub fn balance_workers(asked: f64) -> u32 {
    worker_count(asked)
}

/// Whether a worker heard of then is none to be chosen now.
#[wasm_bindgen(js_name = balanceStale)]
pub fn balance_stale(heard: f64, now: f64, after: f64) -> bool {
    is_stale(heard, now, after)
}

/// For how many ms a worker may start.
#[wasm_bindgen(js_name = balanceStartMs)]
pub fn balance_start_ms(graceful: f64) -> f64 {
    start_ms(graceful)
}

/// After how many ms a worker that was told to end is killed.
#[wasm_bindgen(js_name = balanceKillMs)]
pub fn balance_kill_ms(graceful: f64) -> f64 {
    kill_ms(graceful)
}

/// For how many ms a worker that leaves keeps connections without a request.
#[wasm_bindgen(js_name = balanceLingerMs)]
pub fn balance_linger_ms(graceful: f64, keep_alive: f64, is_replaced: bool) -> f64 {
    linger_ms(graceful, keep_alive, is_replaced)
}

/// The deaths of one worker: a handle, or -1 after a refusal.
#[wasm_bindgen(js_name = respawnNew)]
pub fn respawn_new(options: Numbers, seed: f64) -> f64 {
    let mut checks = Checks::new();
    let respawn = options.read::<RespawnOptions>().make(&mut checks);
    keep(Policy::Respawn(respawn, Rng::new(seed as u64)), checks)
}

/// In how many ms a worker that has just died is started again; -1: no more.
#[wasm_bindgen(js_name = respawnDied)]
pub fn respawn_died(handle: u32, now: f64) -> f64 {
    on(handle, |policy| match policy {
        Policy::Respawn(respawn, rng) => Some(respawn.died(Instant::from_millis(now), rng)),
        _ => None,
    })
    .map_or(-1.0, |respawned| match respawned {
        Respawned::After(wait) => wait.as_secs_f64() * 1e3,
        Respawned::GivenUp => -1.0,
    })
}

/// Forgets the deaths.
#[wasm_bindgen(js_name = respawnReset)]
pub fn respawn_reset(handle: u32) {
    on(handle, |policy| {
        if let Policy::Respawn(respawn, _) = policy {
            respawn.reset();
        }
        None::<()>
    });
}

/// Gives the handle back.
#[wasm_bindgen(js_name = respawnFree)]
pub fn respawn_free(handle: u32) {
    free::<Policy>(handle);
}
