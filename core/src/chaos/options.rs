//! The options of made failures as they come from JavaScript or a file.

use super::{Chaos, ChaosConfig, Injection, LoopPause, LoopPauseConfig, RATE};
use crate::fields::millis;
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
        let least = millis("latencyMs", self.latency_ms)?;
        let most = millis("maxLatencyMs", self.max_latency_ms)?;
        let injection = match (least, most, self.result.unwrap_or(false)) {
            (Some(_), _, true) => {
                return Err(Problem::between("latencyMs", Rule::NotWith, "result"));
            }
            (None, Some(_), _) => {
                return Err(Problem::between("maxLatencyMs", Rule::OnlyWith, "latencyMs"));
            }
            (Some(least), most, false) => Injection::Latency { least, most: most.unwrap_or(least) },
            (None, None, true) => Injection::Result,
            (None, None, false) => Injection::Fault,
        };
        Chaos::new(ChaosConfig {
            enabled: self.enabled.unwrap_or(false),
            rate: self.rate.unwrap_or(RATE),
            injection,
        })
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
        let mut config = LoopPauseConfig::default();
        if let Some(gap) = millis("maxGapMs", self.max_gap_ms)? {
            config.most_gap = gap;
        }
        if let Some(least) = millis("minPauseMs", self.min_pause_ms)? {
            config.least = least;
        }
        if let Some(most) = millis("maxPauseMs", self.max_pause_ms)? {
            config.most = most;
        }
        LoopPause::new(config)
    }
}
