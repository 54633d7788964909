//! The options of made failures as they come from JavaScript or a file.

use super::{Chaos, ChaosConfig, Injection, LoopPause, LoopPauseConfig, RATE};
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// Made failures in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct ChaosOptions {
    /// Whether it strikes at all. Default false.
    pub enabled: Option<bool>,
    /// The share of calls struck, 0 to 1. Default 0.001.
    pub rate: Option<f64>,
    /// Struck calls are held up by this many ms. Not with `result`.
    pub latency_ms: Option<f64>,
    /// The longest delay in ms, the shortest being `latency_ms`. Default the same.
    pub max_latency_ms: Option<f64>,
    /// Struck calls answer a prepared result. Default false: they fail.
    pub result: Option<bool>,
}

impl ChaosOptions {
    /// The failures they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range or does not fit the others.
    pub fn build(&self) -> Result<Chaos, Problem> {
        let mut checks = Checks::new();
        let chaos = self.make(&mut checks);
        checks.finish(chaos)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> Chaos {
        let result = self.result.unwrap_or(false);
        let least = checks.millis("latencyMs", self.latency_ms);
        let most = checks.millis("maxLatencyMs", self.max_latency_ms);
        checks.between(!(least.is_some() && result), "latencyMs", Rule::NotWith, "result");
        let alone = least.is_none() && most.is_some();
        checks.between(!alone, "maxLatencyMs", Rule::OnlyWith, "latencyMs");
        let injection = match least {
            Some(least) => Injection::Latency { least, most: most.unwrap_or(least) },
            None if result => Injection::Result,
            None => Injection::Fault,
        };
        let (enabled, rate) = (self.enabled.unwrap_or(false), self.rate.unwrap_or(RATE));
        Chaos::checked(ChaosConfig { enabled, rate, injection }, checks)
    }
}

/// A plan of pauses in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct LoopPauseOptions {
    /// The longest time between two pauses in ms. Default 100,000.
    pub max_gap_ms: Option<f64>,
    /// The shortest pause in ms. Default 1000.
    pub min_pause_ms: Option<f64>,
    /// The longest pause in ms. Default 5000.
    pub max_pause_ms: Option<f64>,
}

impl LoopPauseOptions {
    /// The plan they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<LoopPause, Problem> {
        let mut checks = Checks::new();
        let plan = self.make(&mut checks);
        checks.finish(plan)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> LoopPause {
        let default = LoopPauseConfig::default();
        let config = LoopPauseConfig {
            most_gap: checks.millis_or("maxGapMs", self.max_gap_ms, default.most_gap),
            least: checks.millis_or("minPauseMs", self.min_pause_ms, default.least),
            most: checks.millis_or("maxPauseMs", self.max_pause_ms, default.most),
        };
        LoopPause::checked(config, checks)
    }
}
