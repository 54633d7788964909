//! The options of a bulkhead as they come from JavaScript or a file.

use super::{BulkheadConfig, MOST_QUEUED};
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// A bulkhead in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct BulkheadOptions {
    /// Calls that may run at once, from 1 to 2^30 - 1. Required.
    pub max_concurrent: Option<f64>,
    /// Calls that may wait for a place, up to 2^20. Default 0; with `priorities` three times
    /// `max_concurrent`.
    pub max_queue: Option<f64>,
    /// How long a call may wait in ms, above 0. Default without end, as is infinity.
    pub queue_timeout_ms: Option<f64>,
    /// Whether calls are turned away by priority before the queue is full. Default false.
    pub priorities: Option<bool>,
}

/// The queue of a bulkhead with priorities, in multiples of what may run at once.
const QUEUE_FACTOR: u32 = 3;

impl BulkheadOptions {
    /// The bulkhead they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<BulkheadConfig, Problem> {
        let mut checks = Checks::new();
        let config = self.make(&mut checks);
        checks.finish(config)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> BulkheadConfig {
        let given = self.max_concurrent.is_some();
        checks.limit(given, "maxConcurrent", Rule::IntegerAtLeast, 1.0);
        let mut config = BulkheadConfig::new(checks.count("maxConcurrent", self.max_concurrent, 1));
        if self.priorities.unwrap_or(false) {
            let queue = config.max_concurrent.saturating_mul(QUEUE_FACTOR);
            config.max_queue = queue.min(MOST_QUEUED);
        }
        config.max_queue = checks.whole("maxQueue", self.max_queue, 0.0, config.max_queue);
        if let Some(timeout) = self.queue_timeout_ms.filter(|ms| *ms != f64::INFINITY) {
            config.queue_timeout = checks.millis("queueTimeoutMs", Some(timeout));
        }
        config.check(checks);
        config
    }
}
