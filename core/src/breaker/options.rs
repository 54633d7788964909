//! The options of a breaker as they cross a door: flat, in milliseconds, all optional.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::{
    BreakerConfig, HalfOpen, Mode, OpenFor, RateRule, Reclose, SlowRule, TripRule, Window,
};
use crate::backoff::{Backoff, BackoffOptions};
use crate::fields::Checks;
use crate::options::{Problem, Rule};

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
        let mut checks = Checks::new();
        let config = self.config(&mut checks);
        checks.finish(config)
    }

    pub(crate) fn config(&self, checks: &mut Checks) -> BreakerConfig {
        let config = BreakerConfig {
            trip: self.trip(checks),
            open_for: self.open_for(checks),
            half_open: HalfOpen {
                permits: checks.count("halfOpen.permits", self.permits, 1),
                success_rate: self.success_rate.unwrap_or(1.0),
                lease: checks.millis("halfOpen.leaseMs", self.lease_ms),
            },
            reclose: self.reclose(checks),
            mode: Mode::from_code(self.mode.unwrap_or(0)),
        };
        config.check(checks);
        config
    }

    #[cfg_attr(target_family = "wasm", inline(never))]
    fn trip(&self, checks: &mut Checks) -> TripRule {
        let failures = checks.count("threshold", self.threshold, DEFAULT_THRESHOLD);
        let within = checks.millis("withinMs", self.within_ms);
        if self.failure_rate.is_none() && self.slow_call_rate.is_none() {
            self.refuse_rate_details(checks);
            return match within {
                Some(within) => TripRule::Failures { failures, within },
                None => TripRule::Consecutive(failures),
            };
        }
        let rate = if self.failure_rate.is_some() { "failureRate" } else { "slowCallRate" };
        checks.between(self.threshold.is_none(), "threshold", Rule::NotWith, rate);
        checks.between(within.is_none(), "withinMs", Rule::NotWith, rate);
        let window = self.window(checks);
        let most = if let Window::Calls(calls) = window { calls } else { u32::MAX };
        let minimum = DEFAULT_MINIMUM_CALLS.min(most);
        TripRule::Rate(RateRule {
            window,
            minimum_calls: checks.count("minimumCalls", self.minimum_calls, minimum),
            failure_rate: self.failure_rate,
            slow: self.slow(checks),
        })
    }

    /// Options that would be silently useless without a rate.
    fn refuse_rate_details(&self, checks: &mut Checks) {
        checks.only_with("slowCallMs", self.slow_call_ms, "slowCallRate");
        checks.only_with("window.calls", self.window_calls, "failureRate");
        checks.only_with("window.ms", self.window_ms, "failureRate");
        checks.only_with("window.slices", self.window_slices, "failureRate");
        checks.only_with("minimumCalls", self.minimum_calls, "failureRate");
    }

    fn window(&self, checks: &mut Checks) -> Window {
        let calls = checks.count("window.calls", self.window_calls, DEFAULT_WINDOW_CALLS);
        let span = checks.millis("window.ms", self.window_ms);
        let slices = checks.count("window.slices", self.window_slices, DEFAULT_SLICES);
        if let Some(span) = span {
            let alone = self.window_calls.is_none();
            checks.between(alone, "window.calls", Rule::NotWith, "window.ms");
            return Window::Time { span, slices };
        }
        let alone = self.window_slices.is_none();
        checks.between(alone, "window.slices", Rule::OnlyWith, "window.ms");
        Window::Calls(calls)
    }

    fn slow(&self, checks: &mut Checks) -> Option<SlowRule> {
        let limit = checks.millis("slowCallMs", self.slow_call_ms);
        let rate = self.slow_call_rate;
        let limited = rate.is_none() || limit.is_some();
        checks.between(limited, "slowCallRate", Rule::OnlyWith, "slowCallMs");
        let rated = limit.is_none() || rate.is_some();
        checks.between(rated, "slowCallMs", Rule::OnlyWith, "slowCallRate");
        Some(SlowRule { rate: rate?, longer_than: limit? })
    }

    fn open_for(&self, checks: &mut Checks) -> OpenFor {
        let fixed = checks.millis_or("resetTimeMs", self.reset_time_ms, DEFAULT_RESET);
        let Some(backoff) = &self.reset_backoff else { return OpenFor::Fixed(fixed) };
        let alone = self.reset_time_ms.is_none();
        checks.between(alone, "resetTimeMs", Rule::NotWith, "resetBackoff");
        OpenFor::Backoff(Box::new(Backoff::of(backoff.config(checks))))
    }

    fn reclose(&self, checks: &mut Checks) -> Option<Reclose> {
        let calls = checks.count("reclose.calls", self.reclose_calls, DEFAULT_RECLOSE_CALLS);
        let step = checks.millis_or("reclose.stepMs", self.reclose_step_ms, DEFAULT_STEP);
        let idle = self.reclose_calls.is_none() && self.reclose_step_ms.is_none();
        let has_shares = self.reclose_shares.is_some();
        checks.rule(idle || has_shares, "reclose.shares", Rule::NotEmpty);
        let shares = self.reclose_shares.clone()?.into();
        Some(Reclose { shares, calls, step })
    }
}
