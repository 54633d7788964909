//! The default rule; the [module](super) says why it is as it is.

use super::average::{Average, Median};
use super::correlation::History;
use super::rule::{Change, whole_log10};
use super::window::Sample;

/// A gain from which on more calls in flight are served and do not wait.
const SERVED: f64 = 0.5;
/// A gain up to which more calls in flight wait and are not served.
const WAITING: f64 = 0.3;
/// Calls that may wait at the other side, in steps: fewer let the limit grow, more lower it.
const FEW: f64 = 3.0;
const MANY: f64 = 6.0;

#[derive(Debug, Clone)]
pub(super) struct Correlated {
    median: Median,
    recent: Average,
    good_median: Median,
    baseline: Average,
    history: History,
}

impl Correlated {
    pub(super) fn new() -> Self {
        Self {
            median: Median::default(),
            recent: Average::new(5, 5),
            good_median: Median::default(),
            baseline: Average::new(10, 10),
            history: History::new(),
        }
    }

    pub(super) fn baseline(&self) -> Option<f64> {
        self.baseline.value()
    }

    pub(super) fn gain(&self) -> Option<f64> {
        self.history.gain()
    }

    pub(super) fn next(&mut self, sample: &Sample, limit: f64) -> (f64, Change) {
        let recent = self.recent.add(self.median.add(sample.rtt));
        // Little's law. Counting what ended would count pauses in and need the time of each call.
        self.history.add(sample.peak, sample.peak / sample.mean.max(1.0));
        let gain = self.history.gain();
        let served = gain.is_some_and(|gain| gain > SERVED);
        if let Some(good) = sample.good {
            let good = self.good_median.add(good);
            self.follow(good, served || !sample.full);
        }
        let Some(baseline) = self.baseline.value().filter(|_| self.baseline.is_warm()) else {
            return (limit, Change::WarmUp);
        };
        let step = whole_log10(limit).max(libm::floor(limit / 50.0));
        let queue = libm::ceil(limit * (1.0 - baseline / recent.max(1.0)));
        if queue > MANY * step {
            (limit - step, if sample.failing { Change::Failures } else { Change::Queue })
        } else if queue >= FEW * step {
            (limit, Change::Steady)
        } else if !sample.full {
            if sample.peak * 2.0 < limit {
                (limit, Change::Unused)
            } else {
                (limit + step, Change::Room)
            }
        } else if gain.is_some_and(|gain| gain < WAITING) {
            (limit - step, Change::Throughput)
        } else if served {
            (limit + step.max(libm::floor(limit / 20.0)), Change::Room)
        } else {
            (limit + step, Change::Room)
        }
    }

    /// Takes a latency into the baseline; a higher one only where it `may_rise`.
    fn follow(&mut self, good: f64, may_rise: bool) {
        let rises = self.baseline.value().is_some_and(|baseline| good > baseline);
        if may_rise || !rises || !self.baseline.is_warm() {
            self.baseline.add(good);
        }
    }
}
