//! Lists of numbers, as they leave the crate through a door that passes numbers.

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::millis;

/// Adds a number; a function, so that the growing of the list is there once.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) fn put(numbers: &mut Vec<f64>, number: f64) {
    numbers.push(number);
}

/// Adds a count.
pub(crate) fn put_count(numbers: &mut Vec<f64>, count: u32) {
    put(numbers, f64::from(count));
}

/// Adds a time in ms, -1 for none.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) fn put_time(numbers: &mut Vec<f64>, time: Option<Duration>) {
    put(numbers, time.map_or(-1.0, millis));
}
