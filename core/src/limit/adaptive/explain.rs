//! A limiter's state, in words that stay the same.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Algorithm, Change};
use crate::numbers::{put, put_count, put_time};

/// Why the limit is as it is, and when it may change.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Explanation {
    /// The rule.
    pub algorithm: Algorithm,
    /// The present limit.
    pub limit: u32,
    /// It never goes below.
    pub min_limit: u32,
    /// It never goes above.
    pub max_limit: u32,
    /// Calls in flight.
    pub in_flight: u32,
    /// The greatest number of calls in flight seen by a decision; the limit
    /// does not grow past five times that.
    pub greatest_in_flight: u32,
    /// What the last decision went by.
    pub change: Change,
    /// The latency of the last window at its quantile.
    pub latency: Option<Duration>,
    /// What it is compared with.
    pub baseline: Option<Duration>,
    /// By how many percent throughput grew for each percent of calls in flight
    /// more, where the rule asks and can tell.
    pub gain: Option<f64>,
    /// Calls sampled in this window.
    pub samples: u32,
    /// How many it needs for a decision.
    pub min_samples: u32,
    /// The time until the next decision is due, if there are calls enough.
    pub due_in: Duration,
}

impl Explanation {
    /// The same as numbers in the order of the fields, for doors that pass
    /// numbers: times in ms, -1 for what there is not, NaN for no gain.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        let mut numbers = Vec::new();
        put_count(&mut numbers, self.algorithm as u32);
        put_count(&mut numbers, self.limit);
        put_count(&mut numbers, self.min_limit);
        put_count(&mut numbers, self.max_limit);
        put_count(&mut numbers, self.in_flight);
        put_count(&mut numbers, self.greatest_in_flight);
        put_count(&mut numbers, self.change as u32);
        put_time(&mut numbers, self.latency);
        put_time(&mut numbers, self.baseline);
        put(&mut numbers, self.gain.unwrap_or(f64::NAN));
        put_count(&mut numbers, self.samples);
        put_count(&mut numbers, self.min_samples);
        put_time(&mut numbers, Some(self.due_in));
        numbers
    }
}
