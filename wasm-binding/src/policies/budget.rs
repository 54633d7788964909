//! Limits on repetitions: see `core/src/retry/budget.rs`.

use seawall::Instant;
use seawall::options::Checks;
use seawall::retry::{BudgetOptions, RetryBudget};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{accept, free, keep, on};
use crate::numbers::Numbers;
use crate::policies::Policy;

// Not through a pointer: what stands in the table of functions stays in the file of the engine.
#[inline(always)]
fn budget(handle: u32, act: impl FnOnce(&mut RetryBudget)) {
    on(handle, |policy| {
        if let Policy::Budget(budget) = policy {
            act(budget);
        }
        None::<()>
    });
}

fn made(options: Numbers, checks: &mut Checks) -> RetryBudget {
    RetryBudget::of(&options.read::<BudgetOptions>(), checks)
}

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = budgetNew)]
pub fn budget_new(options: Numbers) -> f64 {
    let mut checks = Checks::new();
    keep(Policy::Budget(made(options, &mut checks)), checks)
}

/// Takes other options, after `fresh` more calls have begun; -1 after a refusal.
#[wasm_bindgen(js_name = budgetUpdate)]
pub fn budget_update(handle: u32, options: Numbers, fresh: u32, now: f64) -> f64 {
    let mut checks = Checks::new();
    let other = made(options, &mut checks);
    let accepted = accept(checks);
    if accepted < 0.0 {
        return accepted;
    }
    budget(handle, |budget| {
        budget.brought(fresh);
        budget.become_like(&other, Instant::from_millis(now));
    });
    accepted
}

/// Whether a repetition may begin beside so many calls and repetitions under way, and after
/// `fresh` more calls have begun.
#[wasm_bindgen(js_name = budgetAllow)]
pub fn budget_allow(handle: u32, calls: u32, retries: u32, fresh: u32, now: f64) -> bool {
    let mut allowed = true;
    budget(handle, |budget| {
        budget.tell(calls, retries, fresh);
        allowed = budget.allow(Instant::from_millis(now));
    });
    allowed
}

/// The numbers of a budget.
#[wasm_bindgen(js_name = budgetExplain)]
pub fn budget_explain(handle: u32, calls: u32, retries: u32, fresh: u32, now: f64) -> Numbers {
    let mut numbers = Vec::new();
    budget(handle, |budget| {
        budget.tell(calls, retries, fresh);
        numbers = budget.explain(Instant::from_millis(now)).to_numbers();
    });
    numbers.into()
}

/// Gives the handle back.
#[wasm_bindgen(js_name = budgetFree)]
pub fn budget_free(handle: u32) {
    free::<Policy>(handle);
}
