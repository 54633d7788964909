//! Which worker is next, and when a dead one is started again: see `core/src/balance`.

use napi_derive::napi;
use seawall::balance::{
    RespawnOptions, Respawned, Strategy, Weights, heap_share, is_stale, kill_ms, lightest,
    linger_ms, plain, round_robin, start_ms, worker_count,
};
use seawall::door::numbers;
use seawall::options::Checks;
use seawall::{Instant, Rng};

use crate::handles::{Policy, free, keep, on};

/// Which of `count` is next after `previous` choices; -1 of none.
#[napi]
pub fn balance_turn(previous: f64, count: u32) -> i32 {
    round_robin(previous as u64, count as usize).map_or(-1, |index| index as i32)
}

/// Which is the lightest, by four numbers for each: connections, percent of a processor, bytes of
/// the heap in use and of the heap; -1 of none.
#[napi]
pub fn balance_lightest(loads: &[f64], connection: f64, cpu: f64, heap: f64) -> i32 {
    lightest(loads, &Weights { connection, cpu, heap }).map_or(-1, |index| index as i32)
}

/// The limit in MiB for the heap of each of `workers`; 0: none is needed.
#[napi]
pub fn balance_heap(limit: f64, total: f64, workers: u32) -> u32 {
    heap_share(limit, total, workers).unwrap_or(0)
}

/// One choice by the strategy of this number, by requests under way and ms an answer takes of each;
/// -1 of none.
#[napi]
pub fn balance_plain(strategy: u32, loads: &[f64], seed: f64) -> i32 {
    Strategy::from_number(strategy as u8)
        .and_then(|strategy| plain(strategy, loads, seed as u64))
        .map_or(-1, |index| index as i32)
}

/// How many workers are meant by a number.
#[napi]
pub fn balance_workers(asked: f64) -> u32 {
    worker_count(asked)
}

/// Whether a worker heard of then is none to be chosen now.
#[napi]
pub fn balance_stale(heard: f64, now: f64, after: f64) -> bool {
    is_stale(heard, now, after)
}

/// For how many ms a worker may start.
#[napi]
pub fn balance_start_ms(graceful: f64) -> f64 {
    start_ms(graceful)
}

/// After how many ms a worker that was told to end is killed.
#[napi]
pub fn balance_kill_ms(graceful: f64) -> f64 {
    kill_ms(graceful)
}

/// For how many ms a worker that leaves keeps connections without a request.
#[napi]
pub fn balance_linger_ms(graceful: f64, keep_alive: f64, is_replaced: bool) -> f64 {
    linger_ms(graceful, keep_alive, is_replaced)
}

/// The deaths of one worker: a handle, or -1 after a refusal.
#[napi]
pub fn respawn_new(options: &[f64], seed: f64) -> f64 {
    let mut checks = Checks::new();
    let respawn = numbers::read::<RespawnOptions>(options).make(&mut checks);
    keep(Policy::Respawn(respawn, Rng::new(seed as u64)), checks)
}

/// In how many ms a worker that has just died is started again; -1: no more.
#[napi]
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
#[napi]
pub fn respawn_reset(handle: u32) {
    on(handle, |policy| {
        if let Policy::Respawn(respawn, _) = policy {
            respawn.reset();
        }
        None::<()>
    });
}

/// Gives the handle back.
#[napi]
pub fn respawn_free(handle: u32) {
    free(handle);
}
