//! The options of an adaptive limiter as they come from JavaScript or a file.

use super::{AdaptiveConfig, AdaptiveLimiter, Algorithm};
use crate::Instant;
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// An adaptive limiter in plain values; what is left out has the default of
/// [`AdaptiveConfig`].
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct AdaptiveOptions {
    /// The number of an [`Algorithm`].
    pub algorithm: Option<u32>,
    /// The limit to begin with. Default 20, or the nearest within the bounds.
    pub initial_limit: Option<f64>,
    /// It never goes below.
    pub min_limit: Option<f64>,
    /// It never goes above.
    pub max_limit: Option<f64>,
    /// The shortest time between two decisions in ms.
    pub min_window_ms: Option<f64>,
    /// The longest in ms, if there are calls enough. Default 30,000 or
    /// `min_window_ms` if that is more.
    pub max_window_ms: Option<f64>,
    /// How many calls a decision needs at least.
    pub min_samples: Option<f64>,
    /// The share of calls of a window that its latency stands for.
    pub quantile: Option<f64>,
    /// [`Algorithm::Aimd`]: a window slower than this many ms lowers the limit.
    pub slow_after_ms: Option<f64>,
}

impl AdaptiveOptions {
    /// The configuration they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range or does not fit the others.
    pub fn build(&self) -> Result<AdaptiveConfig, Problem> {
        let mut checks = Checks::new();
        let config = self.config(&mut checks);
        checks.finish(config)
    }

    /// The limiter they describe, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, seed: u64, now: Instant, checks: &mut Checks) -> AdaptiveLimiter {
        AdaptiveLimiter::of(self.config(checks), seed, now)
    }

    /// The configuration, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn config(&self, checks: &mut Checks) -> AdaptiveConfig {
        let default = AdaptiveConfig::default();
        let min_limit = checks.count("minLimit", self.min_limit, default.min_limit);
        let max_limit = checks.count("maxLimit", self.max_limit, default.max_limit.max(min_limit));
        let usual = default.initial_limit.min(max_limit).max(min_limit);
        let slow = self.slow_after_ms;
        let algorithm = Algorithm::from_code(self.algorithm.unwrap_or(0));
        checks.between(
            slow.is_none() || algorithm == Algorithm::Aimd,
            "slowAfterMs",
            Rule::OnlyWith,
            "algorithm: 'aimd'",
        );
        let min_window = checks.positive("minWindowMs", self.min_window_ms, default.min_window);
        let longest = default.max_window.max(min_window);
        let config = AdaptiveConfig {
            algorithm,
            initial_limit: checks.count("initialLimit", self.initial_limit, usual),
            min_limit,
            max_limit,
            min_window,
            max_window: checks.positive("maxWindowMs", self.max_window_ms, longest),
            min_samples: checks.count("minSamples", self.min_samples, default.min_samples),
            quantile: self.quantile.unwrap_or(default.quantile),
            slow_after: checks.positive("slowAfterMs", slow, default.slow_after),
        };
        config.check(checks);
        config
    }
}
