//! What a limiter is made of.

use core::time::Duration;

use crate::fields::Checks;
use crate::options::Rule;

/// The rule by which the limit follows what is measured. Their numbers cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
#[non_exhaustive]
pub enum Algorithm {
    /// Latency against its own recent past, checked by how latency and
    /// throughput follow the number of calls in flight. Withstands constant
    /// time-outs, slowly worsening sides and lasting overload.
    #[default]
    Correlated = 0,
    /// Netflix's Gradient2: latency against its average of the last ten
    /// minutes. Failures count as any other call, as published.
    Gradient2 = 1,
    /// TCP Vegas: latency against the least seen. Assumes that an unloaded
    /// call always takes about the same time.
    Vegas = 2,
    /// Additive increase, multiplicative decrease: only failures and calls
    /// slower than [`AdaptiveConfig::slow_after`] lower the limit.
    Aimd = 3,
}

impl Algorithm {
    /// The algorithm of a number that crossed a door; unknown ones are the default.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Gradient2,
            2 => Self::Vegas,
            3 => Self::Aimd,
            _ => Self::Correlated,
        }
    }
}

/// What an [`AdaptiveLimiter`](super::AdaptiveLimiter) is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveConfig {
    /// The rule. Default [`Algorithm::Correlated`].
    pub algorithm: Algorithm,
    /// The limit to begin with. Default 20.
    pub initial_limit: u32,
    /// It never goes below. Default 1, zero is refused.
    pub min_limit: u32,
    /// It never goes above. Default 200.
    pub max_limit: u32,
    /// The shortest time between two decisions; twice the latency if that is
    /// more. Default 1 s.
    pub min_window: Duration,
    /// The longest time between two decisions if there are calls enough. Default 30 s.
    pub max_window: Duration,
    /// How many calls a decision needs at least. Default 50.
    pub min_samples: u32,
    /// The share of calls of a window that its latency stands for. Default 0.9.
    pub quantile: f64,
    /// [`Algorithm::Aimd`]: a window whose latency is longer lowers the limit. Default 5 s.
    pub slow_after: Duration,
}

impl Default for AdaptiveConfig {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Correlated,
            initial_limit: 20,
            min_limit: 1,
            max_limit: 200,
            min_window: Duration::from_secs(1),
            max_window: Duration::from_secs(30),
            min_samples: 50,
            quantile: 0.9,
            slow_after: Duration::from_secs(5),
        }
    }
}

impl AdaptiveConfig {
    /// The default with another rule.
    #[must_use]
    pub fn with(algorithm: Algorithm) -> Self {
        Self { algorithm, ..Self::default() }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let Self { initial_limit: initial, min_limit: min, max_limit: max, .. } = *self;
        checks.at_least_one("minLimit", min);
        checks.between(max >= min, "maxLimit", Rule::NotBelow, "minLimit");
        checks.between(initial >= min, "initialLimit", Rule::NotBelow, "minLimit");
        checks.between(initial <= max, "maxLimit", Rule::NotBelow, "initialLimit");
        checks.above_zero("minWindowMs", self.min_window);
        checks.between(
            self.max_window >= self.min_window,
            "maxWindowMs",
            Rule::NotBelow,
            "minWindowMs",
        );
        checks.at_least_one("minSamples", self.min_samples);
        checks.ratio("quantile", self.quantile);
        checks.above_zero("slowAfterMs", self.slow_after);
    }
}
