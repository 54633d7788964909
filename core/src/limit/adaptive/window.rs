//! What is gathered between two decisions.

use core::time::Duration;

use super::config::AdaptiveConfig;
use super::histogram::Histogram;
use crate::Outcome;
use crate::time::{Instant, nanos};

/// The calls of one window; see [`Sample`] for what comes of it.
#[derive(Debug, Clone)]
pub(super) struct Window {
    opened: Instant,
    lasts: Duration,
    successes: Histogram,
    sum: f64,
    /// Failures, those left out that were faster than usual.
    failures: u32,
    failed_sum: f64,
    /// Most calls in flight at a time.
    peak: u32,
}

/// What a window says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Its quantile of latency in nanoseconds, failures included.
    pub(super) rtt: f64,
    /// That of successes alone, `None` where they are too few to tell.
    pub(super) good: Option<f64>,
    /// The mean of all in nanoseconds.
    pub(super) mean: f64,
    /// Calls sampled.
    pub(super) count: u32,
    /// Whether failures are more than the quantile passes over.
    pub(super) failing: bool,
    /// Whether there were any.
    pub(super) dropped: bool,
    /// Most calls in flight at a time.
    pub(super) peak: f64,
    /// Whether the limit was reached.
    pub(super) full: bool,
}

impl Window {
    pub(super) const fn new(config: &AdaptiveConfig, now: Instant) -> Self {
        Self {
            opened: now,
            lasts: config.min_window,
            successes: Histogram::new(),
            sum: 0.0,
            failures: 0,
            failed_sum: 0.0,
            peak: 0,
        }
    }

    /// A clock that went back opens the window there, so that it does not stay open for longer.
    pub(super) fn not_before(&mut self, now: Instant) {
        self.opened = self.opened.min(now);
    }

    pub(super) fn see(&mut self, in_flight: u32) {
        self.peak = self.peak.max(in_flight);
    }

    /// Takes a call; a failure only where it took longer than `usual`, in nanoseconds.
    pub(super) fn add(&mut self, rtt: Duration, outcome: Outcome, usual: Option<f64>) {
        let taken = nanos(rtt);
        match outcome {
            Outcome::Success => {
                self.successes.add(taken);
                self.sum += taken as f64;
            }
            Outcome::Failure if usual.is_none_or(|usual| taken as f64 > usual) => {
                self.failures = self.failures.saturating_add(1);
                self.failed_sum += taken as f64;
            }
            Outcome::Failure | Outcome::Neutral => {}
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.successes.len().saturating_add(self.failures)
    }

    /// How many calls it lacks.
    pub(super) fn lacks(&self, config: &AdaptiveConfig) -> u32 {
        config.min_samples.saturating_sub(self.count())
    }

    /// When it may be closed.
    pub(super) fn ends(&self) -> Instant {
        self.opened.after(self.lasts)
    }

    pub(super) fn is_over(&self, config: &AdaptiveConfig, now: Instant) -> bool {
        self.lacks(config) == 0 && now >= self.ends()
    }

    /// Closes it and opens the next, `limit` being that in force.
    pub(super) fn close(&mut self, config: &AdaptiveConfig, limit: f64, now: Instant) -> Sample {
        let sample = self.sample(config, limit);
        self.lasts = crate::time::duration((2.0 * sample.rtt) as u64)
            .max(config.min_window)
            .min(config.max_window.max(config.min_window));
        self.successes.clear();
        (self.sum, self.failures, self.failed_sum, self.peak) = (0.0, 0, 0.0, 0);
        self.opened = now;
        sample
    }

    fn sample(&self, config: &AdaptiveConfig, limit: f64) -> Sample {
        let (good, slow) = (self.successes.len(), f64::from(self.failures));
        let count = (f64::from(good) + slow).max(1.0);
        let fast = self.successes.quantile(config.quantile);
        let failing = slow > count * (1.0 - config.quantile);
        let rtt = fast.unwrap_or(0.0);
        Sample {
            rtt: if failing { rtt.max(self.failed_sum / slow) } else { rtt },
            good: fast.filter(|_| good >= config.min_samples / 2),
            mean: (self.sum + self.failed_sum) / count,
            count: self.count(),
            failing,
            dropped: self.failures > 0,
            peak: f64::from(self.peak),
            full: f64::from(self.peak) >= libm::floor(limit),
        }
    }
}
