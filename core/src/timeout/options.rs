//! The options of time-outs as they come from JavaScript or a file.

use core::time::Duration;

use super::config::{LEAST, MOST, enough_for};
use super::{Least, Own, Timeout, TimeoutConfig};
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// Time-outs in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct TimeoutOptions {
    /// The time-out in ms; above 0, infinity for none. Without it and `quantile`, the caller tells
    /// it for each call.
    pub timeout_ms: Option<f64>,
    /// The quantile that the time-out follows, above 0 and at most 1. Not with `timeout_ms`.
    pub quantile: Option<f64>,
    /// How many times the quantile; above 0. Default 2.
    pub factor: Option<f64>,
    /// The least time-out that follows, in ms; above 0. Default 10, or `max_ms` if that is less.
    pub min_ms: Option<f64>,
    /// The longest time-out that follows, in ms. Default 30,000, or `min_ms` if that is more.
    pub max_ms: Option<f64>,
    /// The time-out in ms while there are too few latencies, and where the caller tells none.
    /// Default `max_ms`.
    pub fallback_ms: Option<f64>,
    /// How many latencies are enough to go by; a whole number from 1. Default 20, more for a
    /// quantile above 0.95.
    pub min_samples: Option<f64>,
    /// How old a latency may be in ms; above 0. Default 60,000.
    pub window_ms: Option<f64>,
    /// The time in ms that must be left for a try to be begun; 0: any. Default the median.
    pub least_ms: Option<f64>,
    /// A timer that fires later than this, in ms, was held up. Default 50.
    pub late_ms: Option<f64>,
}

impl TimeoutOptions {
    /// The time-outs they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range, or that has no meaning beside the others.
    pub fn build(&self) -> Result<Timeout, Problem> {
        let mut checks = Checks::new();
        let timeout = self.make(&mut checks);
        checks.finish(timeout)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> Timeout {
        let mut config = TimeoutConfig::of(self.own(checks));
        let mut longest = config.fallback;
        if let Own::Follows { quantile, most, .. } = config.own {
            config.minimum = enough_for(quantile);
            longest = most;
        }
        config.fallback = checks.positive("fallbackMs", self.fallback_ms, longest);
        config.minimum = checks.count("minSamples", self.min_samples, config.minimum);
        config.window = checks.positive("windowMs", self.window_ms, config.window);
        config.late = checks.millis_or("lateMs", self.late_ms, config.late);
        if let Some(least) = checks.millis("leastMs", self.least_ms) {
            config.least = Least::Fixed(least);
        }
        config.check(checks);
        Timeout::checked(config)
    }

    fn own(&self, checks: &mut Checks) -> Own {
        if let Some(quantile) = self.quantile {
            checks.between(
                self.timeout_ms.is_none(),
                "timeoutMs",
                Rule::NotWith,
                "timeoutMs.quantile",
            );
            let most = checks.millis("timeoutMs.maxMs", self.max_ms);
            let least =
                checks.positive("timeoutMs.minMs", self.min_ms, LEAST.min(most.unwrap_or(LEAST)));
            let most = most.unwrap_or(MOST.max(least));
            let factor = self.factor.unwrap_or(2.0);
            return Own::Follows { quantile, factor, least, most };
        }
        checks.only_with("timeoutMs.factor", self.factor, "timeoutMs.quantile");
        checks.only_with("timeoutMs.minMs", self.min_ms, "timeoutMs.quantile");
        checks.only_with("timeoutMs.maxMs", self.max_ms, "timeoutMs.quantile");
        match self.timeout_ms {
            Some(f64::INFINITY) => Own::Fixed(Duration::MAX),
            Some(_) => Own::Fixed(checks.positive("timeoutMs", self.timeout_ms, MOST)),
            None => Own::Caller,
        }
    }
}
