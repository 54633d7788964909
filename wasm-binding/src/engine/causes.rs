//! Causes of failure by number, for this isolate.

use std::cell::RefCell;

use seawall::door::{Causes, isolate};
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static CAUSES: RefCell<Causes> = const { RefCell::new(Causes::new()) };
}

/// The number of a label; 0 once too many are known.
#[wasm_bindgen(js_name = causeNumber)]
pub fn cause_number(label: &str) -> u32 {
    isolate::with(&CAUSES, |causes| causes.number(label)).unwrap_or(0)
}

/// The label of a number, or an empty string.
#[wasm_bindgen(js_name = causeLabel)]
pub fn cause_label(number: u32) -> String {
    isolate::with(&CAUSES, |causes| causes.label(number).to_owned()).unwrap_or_default()
}
