//! What a phase of a simulation came to.

use alloc::vec::Vec;
use core::time::Duration;

use crate::Outcome;
use crate::time::nanos;

/// What one phase came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How long it lasted.
    pub lasted: Duration,
    /// Calls that came.
    pub arrived: u64,
    /// Those that began.
    pub begun: u64,
    /// Calls that succeeded while it lasted.
    pub succeeded: u64,
    /// Calls that failed while it lasted.
    pub failed: u64,
    /// The least limit while it lasted.
    pub least_limit: u32,
    /// The greatest.
    pub greatest_limit: u32,
    /// The limit when its last call ended.
    pub last_limit: u32,
    /// Of the calls begun in it that succeeded, in nanoseconds, ascending.
    latencies: Vec<u64>,
}

impl Report {
    pub(super) const fn new(lasted: Duration) -> Self {
        Self {
            lasted,
            arrived: 0,
            begun: 0,
            succeeded: 0,
            failed: 0,
            least_limit: u32::MAX,
            greatest_limit: 0,
            last_limit: 0,
            latencies: Vec::new(),
        }
    }

    pub(super) fn arrived(&mut self, begins: bool) {
        self.arrived = self.arrived.saturating_add(1);
        self.begun = self.begun.saturating_add(u64::from(begins));
    }

    pub(super) fn completed(&mut self, outcome: Outcome, limit: u32) {
        let count =
            if outcome == Outcome::Success { &mut self.succeeded } else { &mut self.failed };
        *count = count.saturating_add(1);
        self.least_limit = self.least_limit.min(limit);
        self.greatest_limit = self.greatest_limit.max(limit);
        self.last_limit = limit;
    }

    pub(super) fn ended(&mut self, rtt: Duration, outcome: Outcome) {
        if outcome == Outcome::Success {
            self.latencies.push(nanos(rtt));
        }
    }

    pub(super) fn finish(&mut self) {
        self.latencies.sort_unstable();
    }

    /// Successes per second.
    #[must_use]
    pub fn goodput(&self) -> f64 {
        self.succeeded as f64 / (nanos(self.lasted) as f64 / 1e9)
    }

    /// The latency that the share `q` of the calls begun in this phase that
    /// succeeded did not exceed; zero without any.
    #[must_use]
    pub fn latency(&self, q: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let rank = libm::ceil(self.latencies.len() as f64 * q) as usize;
        let place = rank.saturating_sub(1).min(last);
        Duration::from_nanos(self.latencies.get(place).copied().unwrap_or(0))
    }
}
