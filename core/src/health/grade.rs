//! A grade for the time one answer took.

use core::time::Duration;

use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// How well a dependency answered. The worst of several is their maximum.
///
/// The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Grade {
    /// In good time.
    Healthy = 0,
    /// Late.
    Degraded = 1,
    /// Too late, or not at all.
    Unhealthy = 2,
}

/// What a health check expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckConfig {
    /// How long the check may take before it has failed. Default 5 s.
    pub timeout: Duration,
    /// The latency from which an answer is [`Grade::Degraded`]. Default 100 ms;
    /// with zero no answer is healthy.
    pub degraded: Duration,
    /// The latency from which an answer is [`Grade::Unhealthy`]. Default
    /// 500 ms; equal to `degraded`, no answer is degraded.
    pub unhealthy: Duration,
    /// From one check to the next, where checks repeat. Default 30 s.
    pub interval: Duration,
}

impl Default for CheckConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            degraded: Duration::from_millis(100),
            unhealthy: Duration::from_millis(500),
            interval: Duration::from_secs(30),
        }
    }
}

impl CheckConfig {
    /// The grade of an answer that took `latency`. A latency on a limit is
    /// already past it.
    #[must_use]
    pub fn grade(&self, latency: Duration) -> Grade {
        if latency < self.degraded {
            Grade::Healthy
        } else if latency < self.unhealthy {
            Grade::Degraded
        } else {
            Grade::Unhealthy
        }
    }
}

/// A health check in plain values; what is left out has the default of [`CheckConfig`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct CheckOptions {
    /// [`CheckConfig::timeout`] in ms; above 0, infinity is no limit.
    pub timeout_ms: Option<f64>,
    /// [`CheckConfig::degraded`] in ms; at least 0, infinity is never.
    pub degraded_ms: Option<f64>,
    /// [`CheckConfig::unhealthy`] in ms; at least `degraded_ms`, infinity is never.
    pub unhealthy_ms: Option<f64>,
    /// [`CheckConfig::interval`] in ms; above 0, infinity is never again.
    pub interval_ms: Option<f64>,
}

impl CheckOptions {
    /// The check they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn into_config(self) -> Result<CheckConfig, Problem> {
        let mut checks = Checks::new();
        let config = self.make(&mut checks);
        checks.finish(config)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> CheckConfig {
        let default = CheckConfig::default();
        let timeout = checks.positive("timeoutMs", self.timeout_ms, default.timeout);
        let interval = checks.positive("intervalMs", self.interval_ms, default.interval);
        let degraded = checks.millis_or("degradedMs", self.degraded_ms, default.degraded);
        let unhealthy = checks.millis_or("unhealthyMs", self.unhealthy_ms, default.unhealthy);
        checks.between(unhealthy >= degraded, "unhealthyMs", Rule::NotBelow, "degradedMs");
        CheckConfig { timeout, degraded, unhealthy, interval }
    }
}
