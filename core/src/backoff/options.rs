//! The options of a schedule as they come from JavaScript or a file.

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
    /// 0 constant, 1 linear, 2 exponential, 3 Fibonacci, 4 list, 5 decorrelated.
    /// Default 2.
    pub strategy: Option<u32>,
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
    /// 0 none, 1 full, 2 equal, 3 plus or minus `jitter_factor`. Default 3; for
    /// a list and for 5 (decorrelated) 0.
    pub jitter: Option<u32>,
    /// The share of jitter 3, 0 to 1. Default 0.25.
    pub jitter_factor: Option<f64>,
    /// How many attempts in all, the first included. Default no limit.
    pub max_attempts: Option<f64>,
    /// How long all waits and attempts may last together, in ms. Default no limit.
    pub max_elapsed_ms: Option<f64>,
}

const CONSTANT: u32 = 0;
const LINEAR: u32 = 1;
const EXPONENTIAL: u32 = 2;
const FIBONACCI: u32 = 3;
const LIST: u32 = 4;
const DECORRELATED: u32 = 5;

const NONE: u32 = 0;
const FULL: u32 = 1;
const EQUAL: u32 = 2;
const PLUS_MINUS: u32 = 3;

impl BackoffOptions {
    /// The schedule they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range, or one of another strategy.
    pub fn into_config(self) -> Result<BackoffConfig, Problem> {
        let strategy = self.strategy.unwrap_or(EXPONENTIAL);
        let base = millis("delayMs", self.delay_ms)?;
        let cap = millis("maxDelayMs", self.max_delay_ms)?;
        let step = millis("stepMs", self.step_ms)?;
        for (given, field, owner) in [
            (self.step_ms.is_some(), "stepMs", LINEAR),
            (self.factor.is_some(), "factor", EXPONENTIAL),
            (self.delays_ms.is_some(), "delaysMs", LIST),
            (self.repeat_last.is_some(), "repeatLast", LIST),
        ] {
            if given && owner != strategy {
                return Err(Problem::between(field, Rule::OnlyWith, "strategy"));
            }
        }
        if strategy == LIST && base.is_some() {
            return Err(Problem::between("delayMs", Rule::NotWith, "delaysMs"));
        }
        let base = base.unwrap_or(Duration::from_millis(100));
        let mut config = match strategy {
            CONSTANT => BackoffConfig::constant(base),
            LINEAR => BackoffConfig {
                strategy: Strategy::Linear { step: step.unwrap_or(base) },
                ..BackoffConfig::linear(base)
            },
            EXPONENTIAL => BackoffConfig {
                strategy: Strategy::Exponential { factor: self.factor.unwrap_or(FACTOR) },
                ..BackoffConfig::exponential(base)
            },
            FIBONACCI => BackoffConfig::fibonacci(base),
            LIST => BackoffConfig::list(self.list()?, self.repeat_last.unwrap_or(false)),
            DECORRELATED => BackoffConfig::decorrelated(base),
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
        Ok(match (self.jitter, self.jitter_factor) {
            (None, None) => None,
            (None | Some(PLUS_MINUS), Some(share)) => Some(Jitter::PlusMinus(share)),
            (_, Some(_)) => {
                return Err(Problem::between("jitterFactor", Rule::OnlyWith, "jitter"));
            }
            (Some(PLUS_MINUS), None) => Some(JITTER),
            (Some(NONE), None) => Some(Jitter::None),
            (Some(FULL), None) => Some(Jitter::Full),
            (Some(EQUAL), None) => Some(Jitter::Equal),
            _ => return Err(Problem::new("jitter", Rule::OneOf)),
        })
    }
}
