//! From when on a signal counts, and when it is too much.

use core::time::Duration;

use super::signals::{SIGNALS, Signal, Signals};
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// From when on a signal counts, and when it is too much, in its own unit.
///
/// Of [`Signal::HeapUsed`] and [`Signal::MemoryUsed`] it is the part of what there is
/// ([`Signal::HeapLimit`], [`Signal::MemoryLimit`]) that counts, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Up to here there is no pressure. Infinity: the signal does not count.
    pub soft: f64,
    /// From here on there is as much as there can be. Not less than `soft`; where they are equal,
    /// there is nothing between none and all.
    pub hard: f64,
}

impl Limits {
    /// Limits that nothing reaches.
    pub const OFF: Self = Self { soft: f64::INFINITY, hard: f64::INFINITY };

    /// With one of the two given, NaN being not given, the other keeps its default where it fits,
    /// and is equal to it where it does not; for a signal without defaults it is twice or half as
    /// much.
    fn given(self, soft: f64, hard: f64) -> Self {
        let Self { soft: usual, hard: most } = self;
        let counts = usual < f64::INFINITY;
        match (soft.is_nan(), hard.is_nan()) {
            (true, true) => self,
            (false, false) => Self { soft, hard },
            (false, true) => Self { soft, hard: if counts { most.max(soft) } else { soft * 2.0 } },
            (true, false) => Self { soft: if counts { usual.min(hard) } else { hard / 2.0 }, hard },
        }
    }

    /// The pressure of a value between none, 0, and as much as there can be, 1.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        if value >= self.hard {
            return 1.0;
        }
        // Also for what is no number.
        if value > self.soft { (value - self.soft) / (self.hard - self.soft) } else { 0.0 }
    }
}

/// What a [`Judge`](super::Judge) goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PressureConfig {
    /// The limits of each signal, by its place.
    pub limits: [Limits; SIGNALS],
    /// The longest drain a refusal speaks of, before the number drawn from 1 to 2. Default 30 s;
    /// below 1 s refusals say nothing.
    pub max_retry_after: Duration,
    /// Whether everybody is let in, and only counted is who would not have been. Default no.
    pub dry_run: bool,
}

/// The shortest stall, and the shortest time from one measurement to the next, in ms: what is shorter
/// is everyday business of a loop, and costs more than it tells.
const LEAST_MS: f64 = 10.0;

/// The defaults: limits of latency are proposals of ours, those of memory near what Envoy's
/// documentation uses, those of stalls far below where `systemd-oomd` kills.
const DEFAULTS: [(Signal, f64, f64); 8] = [
    (Signal::Block, 100.0, 250.0),
    (Signal::DelayP99, 100.0, 300.0),
    (Signal::Utilization, 0.90, 0.98),
    (Signal::HeapUsed, 0.85, 0.95),
    (Signal::MemoryUsed, 0.92, 0.95),
    (Signal::CpuThrottled, 0.25, 0.50),
    (Signal::CpuStall, 0.40, 0.70),
    (Signal::MemoryStall, 0.05, 0.15),
];

impl Default for PressureConfig {
    /// | signal | soft | hard |
    /// |---|---|---|
    /// | `Block` | 100 ms | 250 ms |
    /// | `DelayP99` | 100 ms | 300 ms |
    /// | `Utilization` | 0.90 | 0.98 |
    /// | `HeapUsed` | 0.85 | 0.95 |
    /// | `MemoryUsed` | 0.92 | 0.95 |
    /// | `CpuThrottled` | 0.25 | 0.50 |
    /// | `CpuStall` | 0.40 | 0.70 |
    /// | `MemoryStall` | 0.05 | 0.15 |
    ///
    /// All other signals do not count.
    fn default() -> Self {
        let mut config = Self {
            limits: [Limits::OFF; SIGNALS],
            max_retry_after: Duration::from_secs(30),
            dry_run: false,
        };
        for (signal, soft, hard) in DEFAULTS {
            config.set(signal, Limits { soft, hard });
        }
        config
    }
}

impl PressureConfig {
    /// The same with other limits for `signal`.
    #[must_use]
    pub fn limit(mut self, signal: Signal, soft: f64, hard: f64) -> Self {
        self.set(signal, Limits { soft, hard });
        self
    }

    fn set(&mut self, signal: Signal, limits: Limits) {
        if let Some(place) = self.limits.get_mut(signal as usize) {
            *place = limits;
        }
    }

    /// From a list of numbers: two limits for each signal by its place, the longest drain in ms,
    /// whether it is a dry run, and for who measures, who keeps them: from which length in ms on a turn
    /// is a stall, and the time from one measurement to the next. NaN is the default. For who looks at
    /// the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn from_numbers(numbers: &[f64], checks: &mut Checks) -> Self {
        let mut config = Self::default();
        let mut numbers = numbers.iter();
        let mut next = || numbers.next().copied().unwrap_or(f64::NAN);
        for limits in &mut config.limits {
            let soft = next();
            *limits = limits.given(soft, next());
        }
        let ms = Some(next()).filter(|ms| !ms.is_nan());
        config.max_retry_after = checks.millis_or("maxRetryAfterMs", ms, config.max_retry_after);
        config.dry_run = next() > 0.0;
        for field in ["stallMs", "sampleIntervalMs"] {
            let ms = next();
            checks.limit(ms.is_nan() || ms >= LEAST_MS, field, Rule::AtLeast, LEAST_MS);
        }
        config.check(checks);
        config
    }

    /// The same, `signal` not counting.
    #[must_use]
    pub fn without(self, signal: Signal) -> Self {
        self.limit(signal, f64::INFINITY, f64::INFINITY)
    }

    /// The limits of `signal`.
    #[must_use]
    pub fn limits(&self, signal: Signal) -> Limits {
        self.limits.get(signal as usize).copied().unwrap_or(Limits::OFF)
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        for ((soft, hard), limits) in FIELDS.iter().zip(&self.limits) {
            checks.limit(limits.soft >= 0.0, soft, Rule::AtLeast, 0.0);
            checks.limit(limits.hard > 0.0, hard, Rule::Above, 0.0);
            checks.between(limits.hard >= limits.soft, hard, Rule::NotBelow, soft);
        }
    }

    /// # Errors
    /// The first limit that is out of range.
    pub(super) fn checked(self) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        self.check(&mut checks);
        checks.finish(self)
    }
}

/// What counts of a signal: its value, for memory the part of what there is.
pub(super) fn counted(signals: &Signals, signal: Signal) -> Option<f64> {
    let of = match signal {
        Signal::HeapUsed => Some(Signal::HeapLimit),
        Signal::MemoryUsed => Some(Signal::MemoryLimit),
        _ => None,
    };
    let value = signals.get(signal);
    let value = match of {
        None => value,
        Some(limit) => {
            let limit = signals.get(limit).filter(|limit| *limit > 0.0);
            value.zip(limit).map(|(used, limit)| used / limit)
        }
    };
    // A histogram without samples answers infinity.
    value.filter(|value| value.is_finite())
}

/// The options of the limits as JavaScript spells them, by the places of the signals.
const FIELDS: [(&str, &str); SIGNALS] = [
    ("blockMs.soft", "blockMs.hard"),
    ("delayP50Ms.soft", "delayP50Ms.hard"),
    ("delayMs.soft", "delayMs.hard"),
    ("delayMaxMs.soft", "delayMaxMs.hard"),
    ("utilization.soft", "utilization.hard"),
    ("utilizationSmooth.soft", "utilizationSmooth.hard"),
    ("heap.soft", "heap.hard"),
    ("", ""),
    ("rssBytes.soft", "rssBytes.hard"),
    ("memory.soft", "memory.hard"),
    ("", ""),
    ("cpuThrottled.soft", "cpuThrottled.hard"),
    ("cpuStall.soft", "cpuStall.hard"),
    ("memoryStall.soft", "memoryStall.hard"),
    ("ioStall.soft", "ioStall.hard"),
    ("inFlight.soft", "inFlight.hard"),
    ("queueMs.soft", "queueMs.hard"),
];
