//! Causes of failure by number, for the whole process.

use std::sync::{Mutex, PoisonError};

use napi_derive::napi;
use seawall::door::Causes;

static CAUSES: Mutex<Causes> = Mutex::new(Causes::new());

/// The number of a label; 0 once too many are known.
#[napi]
pub fn cause_number(label: String) -> u32 {
    CAUSES.lock().unwrap_or_else(PoisonError::into_inner).number(&label)
}

/// The label of a number, or an empty string.
#[napi]
pub fn cause_label(number: u32) -> String {
    CAUSES.lock().unwrap_or_else(PoisonError::into_inner).label(number).to_owned()
}
