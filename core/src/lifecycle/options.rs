//! The options of a shutdown as they come from JavaScript or a file.

use core::time::Duration;

use super::{Lifecycle, LifecycleConfig};
use crate::fields::Checks;
use crate::options::Problem;
use crate::time::duration_from_millis;

/// A shutdown in plain values; what is left out has the default of [`LifecycleConfig`].
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct LifecycleOptions {
    /// [`LifecycleConfig::grace`] in ms. Default `env_grace_seconds`, else 30,000.
    pub grace_ms: Option<f64>,
    /// [`LifecycleConfig::margin`] in ms.
    pub margin_ms: Option<f64>,
    /// [`LifecycleConfig::pre_stop`] in ms.
    pub pre_stop_ms: Option<f64>,
    /// [`LifecycleConfig::drain_delay`] in ms. Default 5000 with `in_cluster`, else 0.
    pub drain_delay_ms: Option<f64>,
    /// [`LifecycleConfig::drain_timeout`] in ms.
    pub drain_timeout_ms: Option<f64>,
    /// [`LifecycleConfig::longest_request`] in ms.
    pub longest_request_ms: Option<f64>,
    /// [`LifecycleConfig::hooks`] in ms.
    pub hooks_ms: Option<f64>,
    /// [`LifecycleConfig::repeat_within`] in ms.
    pub repeat_within_ms: Option<f64>,
    /// [`LifecycleConfig::shortened`] in ms.
    pub shortened_ms: Option<f64>,
    /// Whether the process runs in a cluster. Default false.
    pub in_cluster: Option<bool>,
    /// The grace period that the environment names, in seconds; what is no number above 0 counts
    /// as none.
    pub env_grace_seconds: Option<f64>,
}

impl LifecycleOptions {
    /// The shutdown they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<Lifecycle, Problem> {
        let mut checks = Checks::new();
        let lifecycle = self.make(&mut checks);
        checks.finish(lifecycle)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn make(&self, checks: &mut Checks) -> Lifecycle {
        let mut config = match self.in_cluster {
            Some(true) => LifecycleConfig::in_cluster(),
            _ => LifecycleConfig::new(),
        };
        if let Some(seconds) = self.env_grace_seconds.filter(|seconds| *seconds > 0.0) {
            config.grace = duration_from_millis(seconds * 1000.0);
        }
        config.grace = checks.positive("graceMs", self.grace_ms, config.grace);
        config.margin = config.margin.min(config.grace.checked_div(2).unwrap_or(Duration::ZERO));
        config.margin = checks.millis_or("marginMs", self.margin_ms, config.margin);
        config.pre_stop = checks.millis_or("preStopMs", self.pre_stop_ms, config.pre_stop);
        config.drain_delay =
            checks.millis_or("drainDelayMs", self.drain_delay_ms, config.drain_delay);
        config.drain_timeout =
            checks.millis_or("drainTimeoutMs", self.drain_timeout_ms, config.drain_timeout);
        config.longest_request =
            checks.millis_or("longestRequestMs", self.longest_request_ms, config.longest_request);
        config.hooks = checks.millis_or("hooksMs", self.hooks_ms, config.hooks);
        config.repeat_within =
            checks.millis_or("repeatWithinMs", self.repeat_within_ms, config.repeat_within);
        config.shortened = checks.millis_or("shortenedMs", self.shortened_ms, config.shortened);
        config.check(checks);
        Lifecycle::of(config)
    }
}
