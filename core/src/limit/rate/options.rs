//! The options of a rate limiter as they come from JavaScript or a file.

use core::time::Duration;

use super::config::MAX_QUEUE;
use super::{Kind, RateConfig};
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// A rate limiter in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct RateOptions {
    /// Permits in a period: a whole number of at least 1. Required.
    pub limit: Option<f64>,
    /// The period in ms, above 0. Default 1000.
    pub per_ms: Option<f64>,
    /// Permits at once, after a pause. Default `limit`. Not with a sliding window.
    pub burst: Option<f64>,
    /// The number of a [`Kind`]. Default 0, [`Kind::Gcra`].
    pub kind: Option<f64>,
    /// How many calls may wait in line. Default 1000. Zero: none.
    pub max_queue: Option<f64>,
    /// The longest wait in line in ms. The limiter is told of it with each call; here it is only
    /// checked.
    pub max_wait_ms: Option<f64>,
}

impl RateOptions {
    /// The configuration they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<RateConfig, Problem> {
        let mut checks = Checks::new();
        let config = self.make(&mut checks);
        config.plan(&mut checks);
        checks.finish(config)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> RateConfig {
        let limit = checks.count("limit", Some(self.limit.unwrap_or(0.0)), 0);
        let sliding = self.kind == Some(1.0);
        checks.between(!(sliding && self.burst.is_some()), "burst", Rule::NotWith, "kind");
        checks.millis("maxWaitMs", self.max_wait_ms);
        RateConfig {
            limit,
            per: checks.positive("perMs", self.per_ms, Duration::from_secs(1)),
            burst: checks.count("burst", self.burst, limit),
            kind: if sliding { Kind::SlidingWindow } else { Kind::Gcra },
            max_queue: checks.whole("maxQueue", self.max_queue, 0.0, MAX_QUEUE),
        }
    }
}
