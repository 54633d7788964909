//! The options of a retry as they come from JavaScript or a file.

use core::time::Duration;

use super::{Failure, Retry, RetryConfig};
use crate::backoff::{Backoff, BackoffConfig, Jitter};
use crate::classify::Verdict;
use crate::fields::Checks;
use crate::options::{Problem, Rule};
use crate::time::duration_from_millis;

/// A retry in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct RetryOptions {
    /// How many tries in all, the first included; infinity is no limit.
    /// Default 3; with a schedule that ends by itself as many as it allows.
    pub max_attempts: Option<f64>,
    /// How long all tries and waits may last together, in ms. Default no limit.
    pub max_elapsed_ms: Option<f64>,
    /// The first wait in ms. Default 1000. Zero: no wait.
    pub delay_ms: Option<f64>,
    /// The longest wait in ms before jitter. Default 30,000 or `delay_ms` if
    /// that is more.
    pub max_delay_ms: Option<f64>,
    /// Whether waits double. Default true; false waits exactly `delay_ms` each
    /// time.
    pub backoff: Option<bool>,
    /// The share a wait is spread by, also beyond the longest. Default 0.25.
    pub jitter_factor: Option<f64>,
    /// Whether a wait the other side asks for is kept. Default true.
    pub respect_retry_after: Option<bool>,
    /// A longer wait asked for ends the call, in ms. Default 30,000.
    pub max_retry_after_ms: Option<f64>,
    /// Whether the call may be carried out twice. Default true.
    pub idempotent: Option<bool>,
    /// Whether a refusal of one's own policies is waited for instead of ending
    /// the call. Default false.
    pub wait_for_refusals: Option<bool>,
}

/// A failed try in plain values; what is left out is `None` in [`Failure`].
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FailureNumbers {
    pub attempt: f64,
    pub elapsed_ms: f64,
    pub previous_ms: f64,
    /// [`Verdict::to_bits`].
    pub verdict: Option<u32>,
    pub retry_after_ms: Option<f64>,
    pub wanted: Option<bool>,
    pub refused: Option<bool>,
    pub delay_ms: Option<f64>,
    pub remaining_ms: Option<f64>,
}

impl FailureNumbers {
    /// The failure they describe.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let asked = self.retry_after_ms.map(duration_from_millis);
        Failure {
            attempt: self.attempt as u32,
            elapsed: duration_from_millis(self.elapsed_ms),
            previous: duration_from_millis(self.previous_ms),
            verdict: self.verdict.map(|bits| Verdict::from_bits(bits, asked)),
            wanted: self.wanted,
            refused: self.refused == Some(true),
            delay: self.delay_ms.map(duration_from_millis),
            remaining: self.remaining_ms.map(duration_from_millis),
        }
    }
}

/// The first wait, unless told.
const DELAY: Duration = Duration::from_secs(1);
/// The share a wait is spread by, unless told.
const JITTER_FACTOR: f64 = 0.25;

impl RetryOptions {
    /// The retry they describe, with the waits of `backoff` if there is one.
    ///
    /// # Errors
    ///
    /// The first option that is out of range, or that describes waits beside
    /// `backoff`.
    pub fn build(&self, backoff: Option<Backoff>) -> Result<Retry, Problem> {
        let mut checks = Checks::new();
        let retry = self.make(backoff, &mut checks);
        checks.finish(retry)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn make(&self, backoff: Option<Backoff>, checks: &mut Checks) -> Retry {
        let mut config = RetryConfig::with(match backoff {
            Some(backoff) => self.only(backoff, checks),
            None => self.schedule(checks),
        });
        if self.max_attempts.is_some() {
            config.max_attempts = checks.attempts("maxAttempts", self.max_attempts);
        }
        config.max_elapsed = checks.millis("maxElapsedMs", self.max_elapsed_ms);
        config.respect_retry_after = self.respect_retry_after.unwrap_or(true);
        config.max_retry_after =
            checks.millis_or("maxRetryAfterMs", self.max_retry_after_ms, config.max_retry_after);
        config.idempotent = self.idempotent.unwrap_or(true);
        config.wait_for_refusals = self.wait_for_refusals.unwrap_or(false);
        config.check(checks);
        Retry { config }
    }

    fn only(&self, backoff: Backoff, checks: &mut Checks) -> Backoff {
        checks.between(self.delay_ms.is_none(), "delayMs", Rule::NotWith, "backoff");
        checks.between(self.max_delay_ms.is_none(), "maxDelayMs", Rule::NotWith, "backoff");
        checks.between(self.jitter_factor.is_none(), "jitterFactor", Rule::NotWith, "backoff");
        backoff
    }

    fn schedule(&self, checks: &mut Checks) -> Backoff {
        let base = checks.millis_or("delayMs", self.delay_ms, DELAY);
        let cap = checks.millis("maxDelayMs", self.max_delay_ms);
        let doubling = self.backoff.unwrap_or(true);
        let mut config =
            if doubling { BackoffConfig::exponential(base) } else { BackoffConfig::constant(base) };
        if let Some(cap) = cap {
            config.max_delay = cap;
        }
        config.jitter = if doubling {
            Jitter::PlusMinusOverCap(self.jitter_factor.unwrap_or(JITTER_FACTOR))
        } else {
            Jitter::None
        };
        config.check(checks);
        Backoff::of(config)
    }
}
