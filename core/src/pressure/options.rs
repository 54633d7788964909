//! The options of a monitor as they come from JavaScript or a file.

use alloc::vec::Vec;

use super::config::PressureConfig;
use crate::fields::Checks;
use crate::options::Problem;

/// The limits of one signal, see [`Signal`](super::Signal); with one of the two given, the other keeps its default where it fits,
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

/// A monitor in plain values; what is left out has the default of [`PressureConfig`].
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct PressureOptions {
    /// [`Signal::Block`](super::Signal::Block).
    pub block_ms: LimitOptions,
    /// [`Signal::DelayP50`](super::Signal::DelayP50).
    #[cfg_attr(feature = "serde", serde(rename = "delayP50Ms"))]
    pub delay_p50_ms: LimitOptions,
    /// [`Signal::DelayP99`](super::Signal::DelayP99).
    pub delay_ms: LimitOptions,
    /// [`Signal::DelayMax`](super::Signal::DelayMax).
    pub delay_max_ms: LimitOptions,
    /// [`Signal::Utilization`](super::Signal::Utilization).
    pub utilization: LimitOptions,
    /// [`Signal::UtilizationSmooth`](super::Signal::UtilizationSmooth).
    pub utilization_smooth: LimitOptions,
    /// [`Signal::HeapUsed`](super::Signal::HeapUsed) of [`Signal::HeapLimit`](super::Signal::HeapLimit).
    pub heap: LimitOptions,
    /// [`Signal::Rss`](super::Signal::Rss).
    pub rss_bytes: LimitOptions,
    /// [`Signal::MemoryUsed`](super::Signal::MemoryUsed) of [`Signal::MemoryLimit`](super::Signal::MemoryLimit).
    pub memory: LimitOptions,
    /// [`Signal::CpuThrottled`](super::Signal::CpuThrottled).
    pub cpu_throttled: LimitOptions,
    /// [`Signal::CpuStall`](super::Signal::CpuStall).
    pub cpu_stall: LimitOptions,
    /// [`Signal::MemoryStall`](super::Signal::MemoryStall).
    pub memory_stall: LimitOptions,
    /// [`Signal::IoStall`](super::Signal::IoStall).
    pub io_stall: LimitOptions,
    /// [`Signal::InFlight`](super::Signal::InFlight).
    pub in_flight: LimitOptions,
    /// [`Signal::Queue`](super::Signal::Queue).
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

    fn make(&self, checks: &mut Checks) -> PressureConfig {
        let mut numbers = Vec::new();
        for limits in [
            Some(self.block_ms),
            Some(self.delay_p50_ms),
            Some(self.delay_ms),
            Some(self.delay_max_ms),
            Some(self.utilization),
            Some(self.utilization_smooth),
            Some(self.heap),
            None,
            Some(self.rss_bytes),
            Some(self.memory),
            None,
            Some(self.cpu_throttled),
            Some(self.cpu_stall),
            Some(self.memory_stall),
            Some(self.io_stall),
            Some(self.in_flight),
            Some(self.queue_ms),
        ] {
            let LimitOptions { soft, hard } = limits.unwrap_or_default();
            numbers.extend([soft, hard].map(|limit| limit.unwrap_or(f64::NAN)));
        }
        numbers.push(self.max_retry_after_ms.unwrap_or(f64::NAN));
        numbers.push(f64::from(u8::from(self.dry_run == Some(true))));
        PressureConfig::from_numbers(&numbers, checks)
    }
}
