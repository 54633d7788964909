//! Limits on repetitions: see `core/src/retry/budget.rs`.

use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;
use seawall::Instant;
use seawall::door::numbers;
use seawall::options::Checks;
use seawall::retry::{BudgetOptions, RetryBudget};

use crate::handles::{Policy, free, keep, on};
use crate::options::refused;

#[inline(never)]
fn budget(handle: u32, act: &mut dyn FnMut(&mut RetryBudget)) {
    on(handle, |policy| {
        if let Policy::Budget(budget) = policy {
            act(budget);
        }
        None::<()>
    });
}

fn made(options: &[f64], checks: &mut Checks) -> RetryBudget {
    RetryBudget::of(&numbers::read::<BudgetOptions>(options), checks)
}

/// A handle, or -1 after a refusal.
#[napi]
pub fn budget_new(options: &[f64]) -> f64 {
    let mut checks = Checks::new();
    keep(Policy::Budget(made(options, &mut checks)), checks)
}

/// Takes other options, after `fresh` more calls have begun; -1 after a refusal.
#[napi]
pub fn budget_update(handle: u32, options: &[f64], fresh: u32, now: f64) -> f64 {
    let mut checks = Checks::new();
    let other = made(options, &mut checks);
    if let Err(problem) = checks.passed() {
        return refused(&problem);
    }
    budget(handle, &mut |budget| {
        budget.brought(fresh);
        budget.become_like(&other, Instant::from_millis(now));
    });
    0.0
}

/// Whether a repetition may begin beside so many calls and repetitions under way, and after
/// `fresh` more calls have begun.
#[napi]
pub fn budget_allow(handle: u32, calls: u32, retries: u32, fresh: u32, now: f64) -> bool {
    let mut allowed = true;
    budget(handle, &mut |budget| {
        budget.tell(calls, retries, fresh);
        allowed = budget.allow(Instant::from_millis(now));
    });
    allowed
}

/// The numbers of a budget.
#[napi]
pub fn budget_explain(handle: u32, calls: u32, retries: u32, fresh: u32, now: f64) -> Float64Array {
    let mut numbers = Vec::new();
    budget(handle, &mut |budget| {
        budget.tell(calls, retries, fresh);
        numbers = budget.explain(Instant::from_millis(now)).to_numbers();
    });
    Float64Array::new(numbers)
}

/// Gives the handle back.
#[napi]
pub fn budget_free(handle: u32) {
    free(handle);
}
