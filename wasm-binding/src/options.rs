//! The last refused options of this isolate, read by JavaScript after a constructor answered -1.

use std::cell::Cell;

use seawall::options::Problem;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static LAST: Cell<Option<Problem>> = const { Cell::new(None) };
}

fn last() -> Option<Problem> {
    LAST.try_with(Cell::get).ok().flatten()
}

/// Keeps `problem` for the getters below and answers what a constructor returns on refusal.
#[inline(never)]
pub(crate) fn refused(problem: &Problem) -> f64 {
    let _ = LAST.try_with(|last| last.set(Some(*problem)));
    -1.0
}

/// The option that was refused.
#[wasm_bindgen(js_name = problemField)]
pub fn problem_field() -> String {
    last().map_or("", |problem| problem.field).into()
}

/// The number of the rule it broke.
#[wasm_bindgen(js_name = problemRule)]
pub fn problem_rule() -> u32 {
    last().map_or(0, |problem| problem.rule as u32)
}

/// The number the rule speaks of.
#[wasm_bindgen(js_name = problemLimit)]
pub fn problem_limit() -> f64 {
    last().map_or(0.0, |problem| problem.limit)
}

/// The other option the rule speaks of.
#[wasm_bindgen(js_name = problemOther)]
pub fn problem_other() -> String {
    last().map_or("", |problem| problem.other).into()
}
