//! The options of a schedule as they come from JavaScript or a file.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::{FACTOR, JITTER};
use super::{BackoffConfig, Jitter, Strategy};
use crate::fields::{attempts, millis};
use crate::options::{Problem, Rule};

/// A schedule in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct BackoffOptions {
    /// `constant`, `linear`, `exponential`, `fibonacci`, `list` or
    /// `decorrelated`. Default `exponential`.
    pub strategy: Option<String>,
    /// The first wait in ms. Default 100. Zero: no wait.
    pub delay_ms: Option<f64>,
    /// No wait is longer, in ms. Default 30,000 or `delay_ms` if that is more;
    /// for a list none.
    pub max_delay_ms: Option<f64>,
    /// Linear: what each attempt adds, in ms. Default `delay_ms`.
    pub step_ms: Option<f64>,
    /// Exponential: what each attempt multiplies by, at least 1. Default 2.
    pub factor: Option<f64>,
    /// List: the waits in ms; at least one.
    pub delays_ms: Option<Vec<f64>>,
    /// List: go on with the last entry. Default false.
    pub repeat_last: Option<bool>,
    /// `none`, `full`, `equal` or `factor`. Default `factor`; for a list and
    /// for `decorrelated` `none`.
    pub jitter: Option<String>,
    /// The share of jitter `factor`, 0 to 1. Default 0.25.
    pub jitter_factor: Option<f64>,
    /// How many attempts in all, the first included. Default no limit.
    pub max_attempts: Option<f64>,
    /// How long all waits and attempts may last together, in ms. Default no limit.
    pub max_elapsed_ms: Option<f64>,
}

impl BackoffOptions {
    /// The schedule they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range, or one of another strategy.
    pub fn into_config(self) -> Result<BackoffConfig, Problem> {
        let name = self.strategy.as_deref().unwrap_or("exponential");
        let base = millis("delayMs", self.delay_ms)?;
        let cap = millis("maxDelayMs", self.max_delay_ms)?;
        let step = millis("stepMs", self.step_ms)?;
        for (given, field, owner) in [
            (self.step_ms.is_some(), "stepMs", "linear"),
            (self.factor.is_some(), "factor", "exponential"),
            (self.delays_ms.is_some(), "delaysMs", "list"),
            (self.repeat_last.is_some(), "repeatLast", "list"),
        ] {
            if given && owner != name {
                return Err(Problem::between(field, Rule::OnlyWith, owner));
            }
        }
        if name == "list" && base.is_some() {
            return Err(Problem::between("delayMs", Rule::NotWith, "delaysMs"));
        }
        let base = base.unwrap_or(Duration::from_millis(100));
        let mut config = match name {
            "constant" => BackoffConfig::constant(base),
            "linear" => BackoffConfig {
                strategy: Strategy::Linear { step: step.unwrap_or(base) },
                ..BackoffConfig::linear(base)
            },
            "exponential" => BackoffConfig {
                strategy: Strategy::Exponential { factor: self.factor.unwrap_or(FACTOR) },
                ..BackoffConfig::exponential(base)
            },
            "fibonacci" => BackoffConfig::fibonacci(base),
            "list" => BackoffConfig::list(self.list()?, self.repeat_last.unwrap_or(false)),
            "decorrelated" => BackoffConfig::decorrelated(base),
            _ => return Err(Problem::new("strategy", Rule::OneOf)),
        };
        if let Some(cap) = cap {
            config.max_delay = cap;
        }
        if let Some(jitter) = self.jitter()? {
            config.jitter = jitter;
        }
        config.max_attempts = attempts("maxAttempts", self.max_attempts)?;
        config.max_elapsed = millis("maxElapsedMs", self.max_elapsed_ms)?;
        config.check()?;
        Ok(config)
    }

    fn list(&self) -> Result<Vec<Duration>, Problem> {
        let mut list = Vec::new();
        for &entry in self.delays_ms.iter().flatten() {
            list.extend(millis("delaysMs", Some(entry))?);
        }
        Ok(list)
    }

    fn jitter(&self) -> Result<Option<Jitter>, Problem> {
        Ok(match (self.jitter.as_deref(), self.jitter_factor) {
            (None, None) => None,
            (None | Some("factor"), Some(share)) => Some(Jitter::PlusMinus(share)),
            (_, Some(_)) => {
                return Err(Problem::between("jitterFactor", Rule::OnlyWith, "jitter"));
            }
            (Some("factor"), None) => Some(JITTER),
            (Some("none"), None) => Some(Jitter::None),
            (Some("full"), None) => Some(Jitter::Full),
            (Some("equal"), None) => Some(Jitter::Equal),
            _ => return Err(Problem::new("jitter", Rule::OneOf)),
        })
    }
}
