//! The options of a breaker as they cross a door: flat, in milliseconds, all optional.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::{
    BreakerConfig, HalfOpen, Mode, OpenFor, RateRule, Reclose, SlowRule, TripRule, Window,
};
use crate::backoff::{Backoff, BackoffOptions};
use crate::options::{Problem, Rule};
use crate::time::duration_from_millis;

/// The options of a breaker. What is not set has the default named here.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct BreakerOptions {
    /// Failures in a row that open the breaker; with `within_ms`, failures within that time. Default 5.
    pub threshold: Option<f64>,
    /// Makes `threshold` count failures within this time, whatever succeeded between them.
    pub within_ms: Option<f64>,
    /// Opens when this share of the calls in the window failed.
    pub failure_rate: Option<f64>,
    /// Opens when this share of the calls in the window was slow; goes with `slow_call_ms`.
    pub slow_call_rate: Option<f64>,
    /// A call is slow when it takes longer than this.
    pub slow_call_ms: Option<f64>,
    /// The window is the last so many calls. Default 100 where a rate is asked for.
    pub window_calls: Option<f64>,
    /// The window is the calls of this time.
    pub window_ms: Option<f64>,
    /// In so many slices. Default 10.
    pub window_slices: Option<f64>,
    /// No decision on fewer calls. Default 20, or the size of a smaller count window.
    pub minimum_calls: Option<f64>,
    /// How long the breaker stays open. Default 60,000.
    pub reset_time_ms: Option<f64>,
    /// How long it stays open, as a schedule over its openings.
    pub reset_backoff: Option<BackoffOptions>,
    /// Probes of one trial. Default 1.
    pub permits: Option<f64>,
    /// The share of probes that must succeed. Default 1.
    pub success_rate: Option<f64>,
    /// After how long a probe loses its place. Default: as long as the breaker was open.
    pub lease_ms: Option<f64>,
    /// The shares of a gradual re-close. Default: none, it closes at once.
    pub reclose_shares: Option<Vec<f64>>,
    /// Results that judge a step. Default 10.
    pub reclose_calls: Option<f64>,
    /// How long a step lasts at most. Default 10,000.
    pub reclose_step_ms: Option<f64>,
    /// 0 enforces, 1 is a dry run, 2 disables. Default 0.
    pub mode: Option<u32>,
}

const DEFAULT_THRESHOLD: u32 = 5;
const DEFAULT_WINDOW_CALLS: u32 = 100;
const DEFAULT_MINIMUM_CALLS: u32 = 20;
const DEFAULT_SLICES: u32 = 10;
const DEFAULT_RESET: Duration = Duration::from_secs(60);
const DEFAULT_RECLOSE_CALLS: u32 = 10;
const DEFAULT_STEP: Duration = Duration::from_secs(10);

impl BreakerOptions {
    /// The options, checked.
    ///
    /// # Errors
    /// The first [`Problem`] found.
    pub fn into_config(self) -> Result<BreakerConfig, Problem> {
        let config = BreakerConfig {
            trip: self.trip()?,
            open_for: self.open_for()?,
            half_open: HalfOpen {
                permits: count("halfOpen.permits", self.permits)?.unwrap_or(1),
                success_rate: self.success_rate.unwrap_or(1.0),
                lease: time("halfOpen.leaseMs", self.lease_ms)?,
            },
            reclose: self.reclose()?,
            mode: Mode::from_code(self.mode.unwrap_or(0)),
        };
        config.validate()?;
        Ok(config)
    }

    fn trip(&self) -> Result<TripRule, Problem> {
        let threshold = count("threshold", self.threshold)?;
        let within = time("withinMs", self.within_ms)?;
        if self.failure_rate.is_none() && self.slow_call_rate.is_none() {
            self.refuse_rate_details()?;
            let failures = threshold.unwrap_or(DEFAULT_THRESHOLD);
            return Ok(match within {
                Some(within) => TripRule::Failures { failures, within },
                None => TripRule::Consecutive(failures),
            });
        }
        let rate = if self.failure_rate.is_some() { "failureRate" } else { "slowCallRate" };
        if threshold.is_some() {
            return Err(Problem::between("threshold", Rule::NotWith, rate));
        }
        if within.is_some() {
            return Err(Problem::between("withinMs", Rule::NotWith, rate));
        }
        let window = self.window()?;
        let most = if let Window::Calls(calls) = window { calls } else { u32::MAX };
        let minimum = count("minimumCalls", self.minimum_calls)?;
        Ok(TripRule::Rate(RateRule {
            window,
            minimum_calls: minimum.unwrap_or(DEFAULT_MINIMUM_CALLS.min(most)),
            failure_rate: self.failure_rate,
            slow: self.slow()?,
        }))
    }

    /// Options that would be silently useless without a rate.
    fn refuse_rate_details(&self) -> Result<(), Problem> {
        let details = [
            ("slowCallMs", self.slow_call_ms, "slowCallRate"),
            ("window.calls", self.window_calls, "failureRate"),
            ("window.ms", self.window_ms, "failureRate"),
            ("window.slices", self.window_slices, "failureRate"),
            ("minimumCalls", self.minimum_calls, "failureRate"),
        ];
        for (field, value, other) in details {
            if value.is_some() {
                return Err(Problem::between(field, Rule::OnlyWith, other));
            }
        }
        Ok(())
    }

    fn window(&self) -> Result<Window, Problem> {
        let calls = count("window.calls", self.window_calls)?;
        let span = time("window.ms", self.window_ms)?;
        let slices = count("window.slices", self.window_slices)?;
        match (calls, span) {
            (Some(_), Some(_)) => Err(Problem::between("window.calls", Rule::NotWith, "window.ms")),
            (None, Some(span)) => {
                Ok(Window::Time { span, slices: slices.unwrap_or(DEFAULT_SLICES) })
            }
            _ if slices.is_some() => {
                Err(Problem::between("window.slices", Rule::OnlyWith, "window.ms"))
            }
            (calls, None) => Ok(Window::Calls(calls.unwrap_or(DEFAULT_WINDOW_CALLS))),
        }
    }

    fn slow(&self) -> Result<Option<SlowRule>, Problem> {
        let limit = time("slowCallMs", self.slow_call_ms)?;
        match (self.slow_call_rate, limit) {
            (Some(rate), Some(longer_than)) => Ok(Some(SlowRule { rate, longer_than })),
            (Some(_), None) => Err(Problem::between("slowCallRate", Rule::OnlyWith, "slowCallMs")),
            (None, Some(_)) => Err(Problem::between("slowCallMs", Rule::OnlyWith, "slowCallRate")),
            (None, None) => Ok(None),
        }
    }

    fn open_for(&self) -> Result<OpenFor, Problem> {
        let fixed = time("resetTimeMs", self.reset_time_ms)?;
        match (&self.reset_backoff, fixed) {
            (Some(_), Some(_)) => {
                Err(Problem::between("resetTimeMs", Rule::NotWith, "resetBackoff"))
            }
            (Some(backoff), None) => {
                let backoff = Backoff::new(backoff.clone().into_config()?)?;
                Ok(OpenFor::Backoff(Box::new(backoff)))
            }
            (None, fixed) => Ok(OpenFor::Fixed(fixed.unwrap_or(DEFAULT_RESET))),
        }
    }

    fn reclose(&self) -> Result<Option<Reclose>, Problem> {
        let calls = count("reclose.calls", self.reclose_calls)?;
        let step = time("reclose.stepMs", self.reclose_step_ms)?;
        let Some(shares) = &self.reclose_shares else { return Ok(None) };
        Ok(Some(Reclose {
            shares: shares.clone().into(),
            calls: calls.unwrap_or(DEFAULT_RECLOSE_CALLS),
            step: step.unwrap_or(DEFAULT_STEP),
        }))
    }
}

/// A whole number from 1 to what a count holds.
fn count(field: &'static str, value: Option<f64>) -> Result<Option<u32>, Problem> {
    let Some(value) = value else { return Ok(None) };
    if !(value >= 1.0 && libm::floor(value) == value) {
        return Err(Problem::limit(field, Rule::IntegerAtLeast, 1.0));
    }
    if value > f64::from(u32::MAX) {
        return Err(Problem::limit(field, Rule::AtMost, f64::from(u32::MAX)));
    }
    Ok(Some(value as u32))
}

/// A time of zero or more milliseconds.
fn time(field: &'static str, value: Option<f64>) -> Result<Option<Duration>, Problem> {
    let Some(value) = value else { return Ok(None) };
    if value.is_nan() || value < 0.0 {
        return Err(Problem::limit(field, Rule::AtLeast, 0.0));
    }
    Ok(Some(duration_from_millis(value)))
}
