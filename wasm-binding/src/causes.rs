//! Causes of failure by number, for this isolate.

use std::cell::RefCell;

use seawall::door::Causes;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static CAUSES: RefCell<Causes> = const { RefCell::new(Causes::new()) };
}

/// The number of a label; 0 once too many are known.
#[wasm_bindgen(js_name = causeNumber)]
pub fn cause_number(label: &str) -> u32 {
    CAUSES.with_borrow_mut(|causes| causes.number(label))
}

/// The label of a number, or an empty string.
#[wasm_bindgen(js_name = causeLabel)]
pub fn cause_label(number: u32) -> String {
    CAUSES.with_borrow(|causes| causes.label(number).to_owned())
}
