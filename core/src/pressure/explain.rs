//! Why a judge decides as it does, in numbers.

use alloc::vec::Vec;

use super::config::{Limits, counted};
use super::judge::{CALM, CAUSES, CLASSES, Judge};
use super::level::{LEAVE, Level};
use super::signals::{SIGNALS, Signal};
use crate::numbers::{put, put_count};
use crate::time::Instant;

/// One signal beside its limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauge {
    /// What counts of it; for memory the part of what there is. `None`: not known.
    pub value: Option<f64>,
    /// Its limits.
    pub limits: Limits,
    /// Its pressure, from 0 to 1.
    pub share: f64,
}

/// Why a judge decides as it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The level.
    pub level: Level,
    /// The pressure, from 0 to 1.
    pub pressure: f64,
    /// The greatest signal when there last was pressure on this level.
    pub signal: Option<Signal>,
    /// Requests of levels below are refused.
    pub threshold: u16,
    /// For how many milliseconds the pressure is expected to last.
    pub drain_ms: f64,
    /// When it was last told what was measured.
    pub observed: Instant,
    /// Since when it is on this level.
    pub since: Instant,
    /// Below which value of [`Explanation::signal`] the level is left, if no other signal holds it.
    pub leaves_below: Option<f64>,
    /// After how many observations in a row.
    pub leaves_after: u32,
    /// Observations so far.
    pub observations: u32,
    /// Requests let in while there was pressure.
    pub passed: u32,
    /// Whether everybody is refused.
    pub maintenance: bool,
    /// Whether everybody is let in and only counted.
    pub dry_run: bool,
    /// How often the loop stood still for longer than the soft limit.
    pub stalls: u32,
    /// For how many milliseconds the last time.
    pub stall_ms: f64,
    /// All signals, by their places.
    pub gauges: [Gauge; SIGNALS],
    /// Requests refused, or in a dry run judged so, by cause and class.
    pub shed: [[u32; CLASSES]; CAUSES],
}

impl Judge {
    /// Why it decides as it does.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let gauge = |place| {
            let signal = Signal::at(place).unwrap_or(Signal::Block);
            let limits = self.config.limits(signal);
            let value = counted(&self.signals, signal);
            Gauge { value, limits, share: value.map_or(0.0, |value| limits.share(value)) }
        };
        Explanation {
            level: self.level,
            pressure: self.pressure,
            signal: self.signal,
            threshold: self.threshold,
            drain_ms: self.drain_ms,
            observed: self.observed,
            since: self.since,
            leaves_below: self.signal.map(|signal| self.leaves_below(signal)),
            leaves_after: CALM.saturating_sub(self.calm),
            observations: self.sequence,
            passed: self.passed,
            maintenance: self.maintenance,
            dry_run: self.config.dry_run,
            stalls: self.stalls,
            stall_ms: self.stall_ms,
            gauges: core::array::from_fn(gauge),
            shed: self.shed,
        }
    }

    /// The fields of an [`Explanation`] in their order, -1 for a signal there is none of, NaN for
    /// values not known.
    #[doc(hidden)]
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        let mut numbers = Vec::new();
        for number in [
            f64::from(self.level as u8),
            self.pressure,
            self.signal.map_or(-1.0, |signal| f64::from(signal as u8)),
            f64::from(self.threshold),
            self.drain_ms,
            self.observed.as_millis(),
            self.since.as_millis(),
            self.signal.map_or(f64::NAN, |signal| self.leaves_below(signal)),
            f64::from(CALM.saturating_sub(self.calm)),
            f64::from(self.sequence),
            f64::from(self.passed),
            f64::from(u8::from(self.maintenance)),
            f64::from(u8::from(self.config.dry_run)),
            f64::from(self.stalls),
            self.stall_ms,
        ] {
            put(&mut numbers, number);
        }
        for signal in Signal::ALL {
            let limits = self.config.limits(signal);
            let value = counted(&self.signals, signal).unwrap_or(f64::NAN);
            for number in [value, limits.soft, limits.hard, limits.share(value)] {
                put(&mut numbers, number);
            }
        }
        for count in self.shed.iter().flatten() {
            put_count(&mut numbers, *count);
        }
        numbers
    }

    fn leaves_below(&self, signal: Signal) -> f64 {
        let Limits { soft, hard } = self.config.limits(signal);
        match self.level.floor() {
            0.0 => soft * LEAVE,
            from => soft + from * LEAVE * (hard - soft),
        }
    }
}

impl Explanation {
    /// Requests refused in all, or in a dry run judged so.
    #[must_use]
    pub fn shed_in_all(&self) -> u32 {
        self.shed.iter().flatten().fold(0, |sum: u32, count| sum.wrapping_add(*count))
    }
}
