//! TCP Vegas as Netflix applies it (`concurrency-limits`, `VegasLimit`).

use super::rule::{Change, whole_log10};
use super::window::Sample;
use crate::Rng;

/// After about this many times the limit's calls the least latency is forgotten.
const PROBE: f64 = 30.0;

#[derive(Debug, Clone)]
pub(super) struct Vegas {
    least: Option<f64>,
    /// Calls until the least latency is forgotten.
    left: f64,
}

impl Vegas {
    pub(super) const fn new() -> Self {
        Self { least: None, left: 0.0 }
    }

    pub(super) const fn baseline(&self) -> Option<f64> {
        self.least
    }

    /// One draw whenever the least latency is taken anew.
    pub(super) fn next(&mut self, sample: &Sample, limit: f64, rng: &mut Rng) -> (f64, Change) {
        self.left -= f64::from(sample.count);
        let Some(least) = self.least.filter(|least| self.left > 0.0 && *least <= sample.mean)
        else {
            if self.left <= 0.0 {
                self.left = rng.between(0.5, 1.0) * PROBE * limit;
            }
            self.least = Some(sample.mean);
            return (limit, Change::WarmUp);
        };
        let queue = libm::ceil(limit * (1.0 - least / sample.mean));
        let log = whole_log10(limit);
        if sample.dropped {
            (limit - log, Change::Failures)
        } else if sample.peak * 2.0 < limit {
            (limit, Change::Unused)
        } else if queue <= log {
            (limit + 6.0 * log, Change::Room)
        } else if queue < 3.0 * log {
            (limit + log, Change::Room)
        } else if queue > 6.0 * log {
            (limit - log, Change::Queue)
        } else {
            (limit, Change::Steady)
        }
    }
}
