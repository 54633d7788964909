//! What the rules have in common.

use alloc::boxed::Box;

use super::config::{AdaptiveConfig, Algorithm};
use super::correlated::Correlated;
use super::gradient2::Gradient2;
use super::vegas::Vegas;
use super::window::Sample;
use crate::Rng;
use crate::time::nanos;

/// Why the limit last became what it is. Their numbers cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
#[non_exhaustive]
pub enum Change {
    /// Nothing was decided yet.
    #[default]
    Initial = 0,
    /// Too little is known to decide.
    WarmUp = 1,
    /// Latency is what it usually is: it may grow.
    Room = 2,
    /// Neither more nor less.
    Steady = 3,
    /// Calls take longer than usual, so they wait somewhere: it sinks.
    Queue = 4,
    /// More calls in flight brought latency rather than throughput: it sinks.
    Throughput = 5,
    /// Calls fail after a long time: it sinks.
    Failures = 6,
    /// So few calls are in flight that a higher limit would mean nothing: it
    /// stays.
    Unused = 7,
    /// The bounds were moved past it.
    Bounds = 8,
}

#[derive(Debug, Clone)]
pub(super) enum Rules {
    Correlated(Box<Correlated>),
    Gradient2(Gradient2),
    Vegas(Vegas),
    Aimd,
}

impl Rules {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Correlated => Self::Correlated(Box::new(Correlated::new())),
            Algorithm::Gradient2 => Self::Gradient2(Gradient2::new()),
            Algorithm::Vegas => Self::Vegas(Vegas::new()),
            Algorithm::Aimd => Self::Aimd,
        }
    }

    /// The latency in nanoseconds the rule compares with.
    pub(super) fn baseline(&self) -> Option<f64> {
        match self {
            Self::Correlated(rule) => rule.baseline(),
            Self::Gradient2(rule) => rule.baseline(),
            Self::Vegas(rule) => rule.baseline(),
            Self::Aimd => None,
        }
    }

    /// The latency in nanoseconds above which a failure is sampled; `None`: all are, as published.
    pub(super) fn usual(&self) -> Option<f64> {
        match self {
            Self::Correlated(rule) => rule.baseline(),
            _ => None,
        }
    }

    /// How throughput goes along with the calls in flight, where the rule asks and can tell.
    pub(super) fn gain(&self) -> Option<f64> {
        match self {
            Self::Correlated(rule) => rule.gain(),
            _ => None,
        }
    }

    /// The limit after `sample`, before it is kept within its bounds.
    pub(super) fn next(
        &mut self,
        sample: &Sample,
        limit: f64,
        config: &AdaptiveConfig,
        rng: &mut Rng,
    ) -> (f64, Change) {
        match self {
            Self::Correlated(rule) => rule.next(sample, limit),
            Self::Gradient2(rule) => rule.next(sample, limit),
            Self::Vegas(rule) => rule.next(sample, limit, rng),
            Self::Aimd => aimd(sample, limit, nanos(config.slow_after) as f64),
        }
    }
}

/// Netflix's AIMDLimit, once a window: nine tenths after a failure or a window slower than
/// `slow_after`, one more while at least half is in use.
fn aimd(sample: &Sample, limit: f64, slow_after: f64) -> (f64, Change) {
    if sample.dropped {
        (limit * 0.9, Change::Failures)
    } else if sample.rtt > slow_after {
        (limit * 0.9, Change::Queue)
    } else if sample.peak * 2.0 >= limit {
        (limit + 1.0, Change::Room)
    } else {
        (limit, Change::Unused)
    }
}

/// The decimal logarithm in whole numbers, 1 at least: below 100, 1; below 1000, 2.
pub(super) fn whole_log10(limit: f64) -> f64 {
    let (mut log, mut bound) = (1.0, 100.0);
    while limit >= bound {
        log += 1.0;
        bound *= 10.0;
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms() {
        let logs = [0.0, 1.0, 99.0, 100.0, 999.0, 1000.0, 4e9].map(whole_log10);
        assert_eq!(logs, [1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 9.0]);
    }
}
