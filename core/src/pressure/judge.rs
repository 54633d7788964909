//! The state machine: observations in, levels and answers out.

use core::time::Duration;

use super::answer::{Answer, Cause, Shed};
use super::config::{PressureConfig, counted};
use super::level::{LEAVE, Level};
use super::signals::{SIGNALS, Signal, Signals};
use super::spell::Spell;
use crate::Rng;
use crate::limit::priority::{Ask, CLASS_LEVELS, LEVELS, Priorities};
use crate::options::Problem;
use crate::time::Instant;

/// The lowest level of priority that pressure never refuses: the classes `High` and `VeryHigh`.
pub const CRITICAL: u16 = 300;
/// The threshold of a service in maintenance, which no level reaches.
pub const MAINTENANCE: u16 = LEVELS;
/// Causes of refusals: the signals, and maintenance.
pub const CAUSES: usize = SIGNALS + 1;
/// Classes of priority.
pub const CLASSES: usize = 5;

/// Observations in a row below which a level is left.
pub(super) const CALM: u32 = 2;
/// For how long requests have to wait too long before that counts: the interval of CoDel
/// (RFC 8289), by which a burst that drains at once is no queue.
const STANDING: Duration = Duration::from_millis(100);

/// Judges observations and requests. See the [module](super) for how.
#[derive(Debug, Clone)]
pub struct Judge {
    pub(super) config: PressureConfig,
    pub(super) priorities: Priorities,
    rng: Rng,
    /// For the times that are told to those who do not ask, so that these change no other draw.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "only a monitor draws from it"))]
    pub(super) lots: Rng,
    pub(super) signals: Signals,
    pub(super) level: Level,
    pub(super) since: Instant,
    pub(super) observed: Instant,
    pub(super) sequence: u32,
    pub(super) pressure: f64,
    pub(super) signal: Option<Signal>,
    /// Observations in a row that would let it leave its level, and the highest level they hold.
    pub(super) calm: u32,
    calm_level: Level,
    /// Since when requests have waited for longer than they may.
    queued_since: Option<Instant>,
    spell: Spell,
    pub(super) drain_ms: f64,
    pub(super) threshold: u16,
    pub(super) maintenance: bool,
    pub(super) stalls: u32,
    pub(super) stall_ms: f64,
    block_ms: f64,
    pub(super) passed: u32,
    pub(super) shed: [[u32; CLASSES]; CAUSES],
}

impl Judge {
    /// A judge that has seen nothing. The same `seed` refuses the same requests.
    ///
    /// # Errors
    /// The first limit that is out of range.
    pub fn new(config: PressureConfig, seed: u64) -> Result<Self, Problem> {
        Ok(Self::of(config.checked()?, seed))
    }

    /// The judge of a configuration that was checked.
    pub(super) fn of(config: PressureConfig, seed: u64) -> Self {
        Self {
            config,
            priorities: Priorities::new(Rng::new(seed)),
            rng: Rng::new(seed.wrapping_add(1)),
            lots: Rng::new(seed.wrapping_add(2)),
            signals: Signals::default(),
            level: Level::Normal,
            since: Instant::ZERO,
            observed: Instant::ZERO,
            sequence: 0,
            pressure: 0.0,
            signal: None,
            calm: 0,
            calm_level: Level::Normal,
            queued_since: None,
            spell: Spell::default(),
            drain_ms: 0.0,
            threshold: 0,
            maintenance: false,
            stalls: 0,
            stall_ms: 0.0,
            block_ms: 0.0,
            passed: 0,
            shed: [[0; CLASSES]; CAUSES],
        }
    }

    /// The level.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The pressure, from 0 to 1; not less than what leads to its level while that is held.
    #[must_use]
    pub const fn pressure(&self) -> f64 {
        self.pressure
    }

    /// The signal that was the greatest when there last was pressure on this level.
    #[must_use]
    pub const fn signal(&self) -> Option<Signal> {
        self.signal
    }

    /// Requests of levels below are refused; 0: nobody, [`MAINTENANCE`]: everybody.
    #[must_use]
    pub const fn threshold(&self) -> u16 {
        self.threshold
    }

    /// Takes what was measured.
    pub fn observe(&mut self, now: Instant, signals: &Signals) {
        self.signals = *signals;
        self.observed = now;
        self.sequence = self.sequence.wrapping_add(1);
        self.note_stall(signals.get(Signal::Block));
        self.judge(now);
    }

    /// Goes on by another configuration, level and counts staying.
    ///
    /// # Errors
    /// The first limit that is out of range; nothing has changed then.
    pub fn update(&mut self, config: PressureConfig) -> Result<(), Problem> {
        self.become_like(config.checked()?);
        Ok(())
    }

    /// The same with a configuration that was checked.
    pub(super) fn become_like(&mut self, config: PressureConfig) {
        self.config = config;
    }

    /// Refuses everybody, or no longer.
    pub fn set_maintenance(&mut self, on: bool) {
        self.maintenance = on;
        self.set_threshold();
    }

    /// Whether a request is let in.
    pub fn admit(&mut self, ask: &Ask<'_>) -> Answer {
        if self.threshold == 0 {
            return Answer::Admitted;
        }
        let verdict = self.priorities.judge_at(ask, self.threshold);
        self.set_threshold();
        if verdict.admitted {
            self.passed = self.passed.wrapping_add(1);
            return Answer::Admitted;
        }
        self.count(usize::from(verdict.level / CLASS_LEVELS), 1);
        let cause = self.cause();
        let dry_run = self.config.dry_run && !self.maintenance;
        Answer::Shed(Shed { cause, retry_after_s: self.retry_after(), dry_run })
    }

    fn cause(&self) -> Cause {
        match self.signal {
            Some(signal) if !self.maintenance => Cause::Signal(signal),
            _ => Cause::Maintenance,
        }
    }

    pub(super) fn count(&mut self, class: usize, times: u32) {
        let cause = usize::from(self.cause().code());
        let counts = self.shed.get_mut(cause);
        if let Some(count) = counts.and_then(|counts| counts.get_mut(class)) {
            *count = count.wrapping_add(times);
        }
    }

    /// Whole seconds: the drain that is expected, rounded up, times a number drawn from 1 to 2.
    fn retry_after(&mut self) -> u32 {
        if self.drain_ms < 1_000.0 {
            return 0;
        }
        let factor = self.rng.between(1.0, 2.0);
        libm::round(libm::ceil(self.drain_ms / 1_000.0) * factor) as u32
    }

    fn judge(&mut self, now: Instant) {
        let (mut pressure, mut near, mut greatest) = (0.0, false, None);
        for signal in Signal::ALL {
            let limits = self.config.limits(signal);
            let Some(value) = counted(&self.signals, signal) else {
                if signal == Signal::Queue {
                    self.queued_since = None;
                }
                continue;
            };
            if signal == Signal::Queue && !self.stands(value, limits.soft, now) {
                continue;
            }
            near |= value > 0.0 && value >= limits.soft * LEAVE;
            let share = limits.share(value);
            if share > pressure {
                pressure = share;
                greatest = Some(signal);
            }
        }
        self.signal = greatest.or(self.signal);
        self.settle(pressure, near, now);
        if self.level == Level::Normal {
            self.signal = None;
        }
        self.pressure = pressure.max(self.level.floor());
        let pressed = self.level > Level::Normal;
        self.drain_ms = self.spell.note(pressed, now, self.config.max_retry_after);
        self.set_threshold();
    }

    /// Whether the wait before requests are begun has been too long for long enough.
    fn stands(&mut self, value: f64, soft: f64, now: Instant) -> bool {
        if value < soft * LEAVE {
            self.queued_since = None;
            return false;
        }
        let since = *self.queued_since.get_or_insert(now);
        now.since(since) >= STANDING
    }

    /// Up at once, down after [`CALM`] observations.
    fn settle(&mut self, pressure: f64, near: bool, now: Instant) {
        let before = self.level;
        let held = Level::held_at(pressure, near);
        if held >= before {
            self.calm = 0;
            self.level = before.max(Level::entered_at(pressure));
        } else {
            self.calm_level = if self.calm == 0 { held } else { self.calm_level.max(held) };
            self.calm = self.calm.wrapping_add(1);
            if self.calm >= CALM {
                self.calm = 0;
                self.level = self.calm_level;
            }
        }
        if self.level != before {
            self.since = now;
        }
    }

    pub(super) fn set_threshold(&mut self) {
        self.threshold = if self.maintenance {
            MAINTENANCE
        } else if self.pressure >= 1.0 {
            CRITICAL
        } else if self.pressure > 0.0 {
            // At least 1, so that requests are asked about, and remembered.
            self.priorities.threshold(self.pressure).clamp(1, CRITICAL)
        } else {
            0
        };
    }

    /// A stall is over when the loop has turned again; it was one if it reached the soft limit.
    fn note_stall(&mut self, block: Option<f64>) {
        let block = block.unwrap_or(0.0);
        let soft = self.config.limits(Signal::Block).soft;
        if block < self.block_ms && self.block_ms > soft {
            self.stalls = self.stalls.wrapping_add(1);
            self.stall_ms = self.block_ms;
        }
        self.block_ms = block;
    }
}
