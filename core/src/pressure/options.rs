//! The options of a monitor as they come from JavaScript or a file.

use super::config::{Limits, PressureConfig};
use super::signals::Signal;
use crate::fields::Checks;
use crate::options::Problem;

/// The limits of one signal; with one of the two given, the other keeps its default where it fits,
/// and is equal to it, or twice or half as much for a signal without defaults, where it does not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct LimitOptions {
    /// Up to here there is no pressure; infinity: the signal does not count.
    pub soft: Option<f64>,
    /// From here on there is as much as there can be.
    pub hard: Option<f64>,
}

impl LimitOptions {
    fn limits(self, default: Limits) -> Limits {
        let counts = default.soft < f64::INFINITY;
        match (self.soft, self.hard) {
            (None, None) => default,
            (Some(soft), Some(hard)) => Limits { soft, hard },
            (Some(soft), None) if counts => Limits { soft, hard: default.hard.max(soft) },
            (Some(soft), None) => Limits { soft, hard: soft * 2.0 },
            (None, Some(hard)) if counts => Limits { soft: default.soft.min(hard), hard },
            (None, Some(hard)) => Limits { soft: hard / 2.0, hard },
        }
    }
}

/// A monitor in plain values; what is left out has the default of [`PressureConfig`].
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct PressureOptions {
    /// [`Signal::Block`].
    pub block_ms: LimitOptions,
    /// [`Signal::DelayP50`].
    #[cfg_attr(feature = "serde", serde(rename = "delayP50Ms"))]
    pub delay_p50_ms: LimitOptions,
    /// [`Signal::DelayP99`].
    pub delay_ms: LimitOptions,
    /// [`Signal::DelayMax`].
    pub delay_max_ms: LimitOptions,
    /// [`Signal::Utilization`].
    pub utilization: LimitOptions,
    /// [`Signal::UtilizationSmooth`].
    pub utilization_smooth: LimitOptions,
    /// [`Signal::HeapUsed`] of [`Signal::HeapLimit`].
    pub heap: LimitOptions,
    /// [`Signal::Rss`].
    pub rss_bytes: LimitOptions,
    /// [`Signal::MemoryUsed`] of [`Signal::MemoryLimit`].
    pub memory: LimitOptions,
    /// [`Signal::CpuThrottled`].
    pub cpu_throttled: LimitOptions,
    /// [`Signal::CpuStall`].
    pub cpu_stall: LimitOptions,
    /// [`Signal::MemoryStall`].
    pub memory_stall: LimitOptions,
    /// [`Signal::IoStall`].
    pub io_stall: LimitOptions,
    /// [`Signal::InFlight`].
    pub in_flight: LimitOptions,
    /// [`Signal::Queue`].
    pub queue_ms: LimitOptions,
    /// The longest drain a refusal speaks of, in ms. Default 30,000.
    pub max_retry_after_ms: Option<f64>,
    /// Whether everybody is let in, and only counted is who would not have been.
    pub dry_run: Option<bool>,
}

impl PressureOptions {
    /// The configuration they describe.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn build(&self) -> Result<PressureConfig, Problem> {
        let mut checks = Checks::new();
        let config = self.make(&mut checks);
        checks.finish(config)
    }

    /// The configuration, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> PressureConfig {
        let mut config = PressureConfig::default();
        for (signal, options) in [
            (Signal::Block, self.block_ms),
            (Signal::DelayP50, self.delay_p50_ms),
            (Signal::DelayP99, self.delay_ms),
            (Signal::DelayMax, self.delay_max_ms),
            (Signal::Utilization, self.utilization),
            (Signal::UtilizationSmooth, self.utilization_smooth),
            (Signal::HeapUsed, self.heap),
            (Signal::Rss, self.rss_bytes),
            (Signal::MemoryUsed, self.memory),
            (Signal::CpuThrottled, self.cpu_throttled),
            (Signal::CpuStall, self.cpu_stall),
            (Signal::MemoryStall, self.memory_stall),
            (Signal::IoStall, self.io_stall),
            (Signal::InFlight, self.in_flight),
            (Signal::Queue, self.queue_ms),
        ] {
            if let Some(place) = config.limits.get_mut(signal as usize) {
                *place = options.limits(*place);
            }
        }
        config.max_retry_after =
            checks.millis_or("maxRetryAfterMs", self.max_retry_after_ms, config.max_retry_after);
        config.dry_run = self.dry_run.unwrap_or(config.dry_run);
        config.check(checks);
        config
    }
}
