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
        for (field, given, value) in [
            ("marginMs", self.margin_ms, &mut config.margin),
            ("preStopMs", self.pre_stop_ms, &mut config.pre_stop),
            ("drainDelayMs", self.drain_delay_ms, &mut config.drain_delay),
            ("drainTimeoutMs", self.drain_timeout_ms, &mut config.drain_timeout),
            ("longestRequestMs", self.longest_request_ms, &mut config.longest_request),
            ("hooksMs", self.hooks_ms, &mut config.hooks),
            ("repeatWithinMs", self.repeat_within_ms, &mut config.repeat_within),
            ("shortenedMs", self.shortened_ms, &mut config.shortened),
        ] {
            *value = checks.millis_or(field, given, *value);
        }
        config.check(checks);
        Lifecycle::of(config)
    }
}
