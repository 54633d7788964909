//! Bulkheads: see `core/src/limit/bulkhead`.

use seawall::Instant;
use seawall::limit::bulkhead::{Bulkhead, BulkheadOptions};
use seawall::limit::priority::{Ask, Rank};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::millis::{duration, millis};
use crate::numbers::Numbers;
use crate::policies::Policy;

fn with<R>(handle: u32, running: u32, act: impl FnOnce(&mut Bulkhead) -> R) -> Option<R> {
    on(handle, |policy| match policy {
        Policy::Bulkhead(bulkhead) => {
            bulkhead.set_running(running);
            Some(act(bulkhead))
        }
        _ => None,
    })
}

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = bulkheadNew)]
pub fn bulkhead_new(options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let config = options.read::<BulkheadOptions>().make(&mut checks);
    keep(Policy::Bulkhead(Bulkhead::of(config)), checks)
}

/// Other limits; 0, or -1 after a refusal.
#[wasm_bindgen(js_name = bulkheadUpdate)]
pub fn bulkhead_update(handle: u32, running: u32, options: Numbers) -> f64 {
    let mut checks = Checks::new();
    let config = options.read::<BulkheadOptions>().make(&mut checks);
    let accepted = accept(checks);
    if accepted < 0.0 {
        return accepted;
    }
    with(handle, running, |bulkhead| bulkhead.set(config));
    accepted
}

/// `Bulkhead::entry_code` for one call more.
#[wasm_bindgen(js_name = bulkheadEnter)]
pub fn bulkhead_enter(handle: u32, running: u32, now_ms: f64) -> f64 {
    let now = Instant::from_millis(now_ms);
    let code = with(handle, running, |bulkhead| {
        let entry = bulkhead.enter(now);
        bulkhead.entry_code(entry)
    });
    code.unwrap_or(-1.0)
}

/// The same for a call with a rank and a user, as the priorities of that handle see it.
#[wasm_bindgen(js_name = bulkheadEnterRanked)]
pub fn bulkhead_enter_ranked(
    handle: u32,
    running: u32,
    now_ms: f64,
    priorities: u32,
    rank: f64,
    user: Option<String>,
) -> f64 {
    let now = Instant::from_millis(now_ms);
    let ask = Ask { rank: Rank::from_code(rank), user: user.as_deref() };
    let code = with(handle, running, |bulkhead| {
        let entry = on(priorities, |policy| match policy {
            Policy::Priorities(priorities) => Some(bulkhead.enter_ranked(now, priorities, &ask)),
            _ => None,
        });
        let entry = entry.unwrap_or_else(|| bulkhead.enter(now));
        bulkhead.entry_code(entry)
    });
    code.unwrap_or(-1.0)
}

/// `Bulkhead::next_code`: who leaves the queue.
#[wasm_bindgen(js_name = bulkheadNext)]
pub fn bulkhead_next(handle: u32, running: u32, now_ms: f64) -> f64 {
    let now = Instant::from_millis(now_ms);
    with(handle, running, |bulkhead| bulkhead.next_code(now)).unwrap_or(0.0)
}

/// Takes a call out of the queue; how many may run without asking.
#[wasm_bindgen(js_name = bulkheadCancel)]
pub fn bulkhead_cancel(handle: u32, running: u32, slot: u32) -> u32 {
    with(handle, running, |bulkhead| bulkhead.cancel_slot(slot)).unwrap_or(0)
}

/// When the first in the queue has waited too long in ms, or -1.
#[wasm_bindgen(js_name = bulkheadDue)]
pub fn bulkhead_due(handle: u32, running: u32) -> f64 {
    let due = with(handle, running, |bulkhead| bulkhead.due());
    due.flatten().map_or(-1.0, Instant::as_millis)
}

/// How long a call with so many ms until its deadline may wait, -1 where its deadline ends that.
#[wasm_bindgen(js_name = bulkheadPatience)]
pub fn bulkhead_patience(handle: u32, running: u32, left_ms: f64) -> f64 {
    let left = duration(left_ms);
    let patience = with(handle, running, |bulkhead| bulkhead.patience(left));
    patience.flatten().map_or(-1.0, millis)
}

/// The numbers of `Explanation::to_numbers`.
#[wasm_bindgen(js_name = bulkheadExplain)]
pub fn bulkhead_explain(handle: u32, running: u32, now_ms: f64) -> Numbers {
    let now = Instant::from_millis(now_ms);
    let numbers = with(handle, running, |bulkhead| bulkhead.explain(now).to_numbers());
    numbers.into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = bulkheadFree)]
pub fn bulkhead_free(handle: u32) {
    free::<Policy>(handle);
}
