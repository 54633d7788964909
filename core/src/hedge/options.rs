//! The options of hedges as they come from JavaScript or a file.

use core::time::Duration;

use super::{Delay, Hedge, HedgeConfig};
use crate::fields::Checks;
use crate::options::{Problem, Rule};
use crate::timeout::enough_for;

/// Hedges in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct HedgeOptions {
    /// The wait before a hedge in ms; 0: all tries at once. Without it and `quantile`, the caller
    /// tells it for each call.
    pub delay_ms: Option<f64>,
    /// The quantile that the wait follows, above 0 and at most 1. Not with `delay_ms`.
    pub quantile: Option<f64>,
    /// The least wait that follows, in ms. Default 0.
    pub min_ms: Option<f64>,
    /// The wait in ms while there are too few latencies, and where the caller tells none. Default
    /// no hedge.
    pub fallback_ms: Option<f64>,
    /// How many latencies are enough to go by; a whole number from 1. Default 20, more for a
    /// quantile above 0.95.
    pub min_samples: Option<f64>,
    /// How old a latency may be in ms; above 0. Default 60,000.
    pub window_ms: Option<f64>,
    /// How many hedges a call may have; a whole number from 1. Default 1.
    pub max_hedges: Option<f64>,
}

impl HedgeOptions {
    /// The hedges they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range, or that has no meaning beside the others.
    pub fn build(&self) -> Result<Hedge, Problem> {
        let mut checks = Checks::new();
        let hedge = self.make(&mut checks);
        checks.finish(hedge)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> Hedge {
        let mut config = HedgeConfig::of(self.delay(checks));
        if let Delay::Follows(quantile) = config.delay {
            config.minimum = enough_for(quantile);
        }
        config.fallback = checks.millis("fallbackMs", self.fallback_ms);
        config.minimum = checks.count("minSamples", self.min_samples, config.minimum);
        config.window = checks.positive("windowMs", self.window_ms, config.window);
        config.most = checks.count("maxHedges", self.max_hedges, config.most);
        config.least = checks.millis_or("delayMs.minMs", self.min_ms, Duration::ZERO);
        config.check(checks);
        Hedge::checked(config)
    }

    fn delay(&self, checks: &mut Checks) -> Delay {
        let delay = checks.millis("delayMs", self.delay_ms);
        if let Some(quantile) = self.quantile {
            checks.between(delay.is_none(), "delayMs", Rule::NotWith, "delayMs.quantile");
            return Delay::Follows(quantile);
        }
        checks.only_with("delayMs.minMs", self.min_ms, "delayMs.quantile");
        delay.map_or(Delay::Caller, Delay::Fixed)
    }
}
