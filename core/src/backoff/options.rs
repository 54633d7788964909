//! The options of a schedule as they come from JavaScript or a file.

use alloc::vec::Vec;
use core::time::Duration;

use super::config::{FACTOR, JITTER};
use super::{Backoff, BackoffConfig, Jitter, Strategy};
use crate::fields::Checks;
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
        let mut checks = Checks::new();
        let config = self.config(&mut checks);
        checks.finish(config)
    }

    /// The schedule they describe, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> Backoff {
        Backoff::of(self.config(checks))
    }

    pub(crate) fn config(&self, checks: &mut Checks) -> BackoffConfig {
        let strategy = self.strategy.unwrap_or(EXPONENTIAL);
        let given_base = checks.millis("delayMs", self.delay_ms);
        let cap = checks.millis("maxDelayMs", self.max_delay_ms);
        let step = checks.millis("stepMs", self.step_ms);
        let mut only_of = |owner, given: bool, field| {
            checks.between(!given || owner == strategy, field, Rule::OnlyWith, "strategy");
        };
        only_of(LINEAR, self.step_ms.is_some(), "stepMs");
        only_of(EXPONENTIAL, self.factor.is_some(), "factor");
        only_of(LIST, self.delays_ms.is_some(), "delaysMs");
        only_of(LIST, self.repeat_last.is_some(), "repeatLast");
        let twice = strategy == LIST && given_base.is_some();
        checks.between(!twice, "delayMs", Rule::NotWith, "delaysMs");
        checks.rule(strategy <= DECORRELATED, "strategy", Rule::OneOf);
        let base = given_base.unwrap_or(Duration::from_millis(100));
        let mut config = BackoffConfig::of(
            match strategy {
                CONSTANT => Strategy::Constant,
                LINEAR => Strategy::Linear { step: step.unwrap_or(base) },
                FIBONACCI => Strategy::Fibonacci,
                LIST => Strategy::List {
                    delays: self.list(checks),
                    repeat_last: self.repeat_last.unwrap_or(false),
                },
                DECORRELATED => Strategy::Decorrelated,
                _ => Strategy::Exponential { factor: self.factor.unwrap_or(FACTOR) },
            },
            base,
        );
        if let Some(cap) = cap {
            config.max_delay = cap;
        }
        if let Some(jitter) = self.jitter(checks) {
            config.jitter = jitter;
        }
        config.max_attempts = checks.attempts("maxAttempts", self.max_attempts);
        config.max_elapsed = checks.millis("maxElapsedMs", self.max_elapsed_ms);
        config.check(checks);
        config
    }

    fn list(&self, checks: &mut Checks) -> Vec<Duration> {
        let entries = self.delays_ms.iter().flatten();
        entries.map(|&entry| checks.millis_or("delaysMs", Some(entry), Duration::ZERO)).collect()
    }

    fn jitter(&self, checks: &mut Checks) -> Option<Jitter> {
        let kind = self.jitter.unwrap_or(PLUS_MINUS);
        let alone = kind == PLUS_MINUS || self.jitter_factor.is_none();
        checks.between(alone, "jitterFactor", Rule::OnlyWith, "jitter");
        checks.rule(kind <= PLUS_MINUS, "jitter", Rule::OneOf);
        match (kind, self.jitter_factor) {
            (NONE, _) => Some(Jitter::None),
            (FULL, _) => Some(Jitter::Full),
            (EQUAL, _) => Some(Jitter::Equal),
            (_, Some(share)) => Some(Jitter::PlusMinus(share)),
            (_, None) => self.jitter.map(|_| JITTER),
        }
    }
}
