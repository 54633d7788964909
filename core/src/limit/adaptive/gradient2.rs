//! Netflix's Gradient2 (`concurrency-limits`, `Gradient2Limit`).

use super::average::Average;
use super::rule::Change;
use super::window::Sample;

/// Calls that may wait at the other side.
const QUEUE: f64 = 4.0;
/// How much longer than usual calls may take.
const TOLERANCE: f64 = 1.5;
const SMOOTHING: f64 = 0.2;

#[derive(Debug, Clone)]
pub(super) struct Gradient2 {
    long: Average,
}

impl Gradient2 {
    pub(super) fn new() -> Self {
        Self { long: Average::new(600, 10) }
    }

    pub(super) fn baseline(&self) -> Option<f64> {
        self.long.value()
    }

    pub(super) fn next(&mut self, sample: &Sample, limit: f64) -> (f64, Change) {
        let long = self.long.add(sample.mean);
        // After a long load the average would take as long to come down.
        if long > 2.0 * sample.mean {
            self.long.scale(0.95);
        }
        if sample.peak < limit / 2.0 {
            return (limit, Change::Unused);
        }
        let gradient = (TOLERANCE * long / sample.mean).clamp(0.5, 1.0);
        let next = limit * gradient + QUEUE;
        let next = limit * (1.0 - SMOOTHING) + next * SMOOTHING;
        (next, if next < limit { Change::Queue } else { Change::Room })
    }
}
