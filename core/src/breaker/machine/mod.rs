//! The state machine of a circuit breaker.
//!
//! It is moved by three events: a call asks to run ([`Machine::acquire`]), a call
//! ended ([`Machine::record`]), and some calls succeeded without asking
//! ([`Machine::fold`]). Nothing happens between events, so it needs no timer.

mod history;
mod moves;

use alloc::boxed::Box;
use alloc::sync::Arc;

pub(crate) use self::history::History;
pub use self::history::{Opened, Totals};
use super::config::{BreakerConfig, Mode, TripRule};
use super::permit::{RawPermit, Reason, Rejection, Settled};
use super::timeline::Timeline;
use super::trial::Trial;
use super::trip::{Cause, Tracker};
use crate::outcome::Outcome;
use crate::time::Instant;

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum State {
    /// Lets all through and watches.
    Closed = 0,
    /// Refuses all.
    Open = 1,
    /// Lets probes through.
    HalfOpen = 2,
    /// Lets a growing share through.
    Recovering = 3,
    /// Refuses all for as long as somebody holds it so.
    Isolated = 4,
}

#[derive(Debug, Clone)]
pub(crate) enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen(Box<Trial>),
    Recovering(Step),
}

/// One step of a gradual re-close.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) index: u16,
    pub(crate) successes: u32,
    pub(crate) failures: u32,
}

/// A circuit breaker with one owner. [`CircuitBreaker`](super::CircuitBreaker) shares one.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(crate) config: Arc<BreakerConfig>,
    pub(crate) line: Timeline,
    pub(crate) phase: Phase,
    pub(crate) since: Instant,
    pub(crate) tracker: Tracker,
    pub(crate) successes: u64,
    history: Option<Box<History>>,
    pub(crate) generation: u32,
    holders: u32,
    /// Where the even spread of a share stands, as a fraction of 2^32.
    spread: u32,
    seed: u64,
    mode: Mode,
}

impl Machine {
    /// A closed breaker. `seed` feeds the jitter of the open duration and the spread of a re-close.
    ///
    /// # Errors
    /// The [`Problem`](crate::options::Problem) of [`BreakerConfig::validate`].
    pub fn new(
        config: impl Into<Arc<BreakerConfig>>,
        seed: u64,
    ) -> Result<Self, crate::options::Problem> {
        let config = config.into();
        config.validate()?;
        Ok(Self::of_valid(config, seed))
    }

    /// A breaker of options that were validated before.
    pub(super) fn of_valid(config: Arc<BreakerConfig>, seed: u64) -> Self {
        Self {
            line: Timeline::default(),
            phase: Phase::Closed,
            since: Instant::ZERO,
            tracker: Tracker::new(&config.trip),
            successes: 0,
            history: None,
            generation: 0,
            holders: 0,
            spread: (seed >> 32) as u32,
            seed,
            mode: config.mode,
            config,
        }
    }

    /// Whether a call may start at `now`.
    ///
    /// # Errors
    /// The [`Rejection`], in any mode but [`Mode::Enforce`] never.
    pub fn acquire(&mut self, now: Instant) -> Result<RawPermit, Rejection> {
        let (raw, now) = (now, self.line.read(now));
        if self.mode == Mode::Disabled {
            return Ok(self.permit(0));
        }
        match self.decide(now) {
            Ok(probe) => Ok(self.permit(probe)),
            Err((reason, retry_at)) => {
                self.fold_rejected(1);
                if self.mode == Mode::DryRun {
                    return Ok(self.permit(0));
                }
                let retry_after = retry_at.map(|at| self.line.raw(at).since(raw));
                Err(Rejection { reason, retry_after, generation: self.generation })
            }
        }
    }

    fn decide(&mut self, now: Instant) -> Result<u32, (Reason, Option<Instant>)> {
        if self.holders > 0 {
            return Err((Reason::Isolated, None));
        }
        self.lapse(now);
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Err((Reason::Open, Some(until)));
            }
            self.enter_half_open(now);
        }
        match &mut self.phase {
            Phase::Closed | Phase::Open { .. } => Ok(0),
            Phase::HalfOpen(trial) => {
                trial.admit(self.config.half_open, now).map_err(|at| (Reason::Probing, at))
            }
            Phase::Recovering(step) => {
                let share = self.config.reclose.as_ref();
                let share = share.and_then(|r| r.shares.get(usize::from(step.index))).copied();
                // Every call adds the share; each time the sum passes a whole, one goes through.
                let add = (share.unwrap_or(1.0) * 4_294_967_296.0) as u32;
                let (spread, through) = self.spread.overflowing_add(add);
                self.spread = spread;
                if through { Ok(1) } else { Err((Reason::Recovering, None)) }
            }
        }
    }

    /// Takes the end of a call that was let through with `permit`.
    pub fn record(&mut self, permit: RawPermit, settled: Settled, now: Instant) {
        let now = self.line.read(now);
        self.count(settled);
        if self.mode == Mode::Disabled {
            return;
        }
        if self.holders == 0 {
            self.lapse(now);
        }
        if permit.generation != self.generation || self.holders > 0 {
            return self.count_late();
        }
        if matches!(self.phase, Phase::Open { .. }) || (!self.is_closed() && !permit.is_probe()) {
            return;
        }
        if let Phase::HalfOpen(trial) = &mut self.phase
            && !trial.take(permit.probe, now)
        {
            return self.count_late();
        }
        let failed = settled.outcome == Outcome::Failure;
        if failed {
            let history = self.history_mut();
            history.last_failure = Some((now, settled.wall_ms));
            history.causes.note(settled.cause, now);
        }
        if let Some(open_for) = settled.open_for {
            self.note_failure_outside(failed);
            self.open(now, Cause::Result, Some(open_for));
            return;
        }
        if settled.outcome == Outcome::Neutral && self.is_closed() {
            return;
        }
        let bad = failed || settled.slow;
        match &mut self.phase {
            Phase::Open { .. } => {}
            Phase::Closed => {
                self.tracker.advance(&self.config.trip, now);
                self.tracker.call(&self.config.trip, failed, settled.slow, now);
                self.judge(now);
            }
            Phase::HalfOpen(trial) => {
                let outcome = match settled.outcome {
                    Outcome::Neutral => Outcome::Neutral,
                    _ if bad => Outcome::Failure,
                    _ => Outcome::Success,
                };
                let verdict = trial.count(self.config.half_open, outcome);
                self.note_failure_outside(failed);
                match verdict {
                    Some(true) => self.recover(0, now),
                    Some(false) => self.open(now, Cause::Recovery, None),
                    None => {}
                }
            }
            Phase::Recovering(step) => {
                match settled.outcome {
                    Outcome::Neutral => return,
                    _ if bad => step.failures = step.failures.saturating_add(1),
                    _ => step.successes = step.successes.saturating_add(1),
                }
                self.note_failure_outside(failed);
                self.judge_step(now, false);
            }
        }
    }

    /// Adds `successes` calls that were let through as long as the gate allowed it and
    /// succeeded, none of them slow, since the last event; in the slice that was under way.
    pub fn fold(&mut self, successes: u32) {
        self.successes = self.successes.saturating_add(u64::from(successes));
        if self.mode != Mode::Disabled && self.is_closed() {
            self.tracker.successes(successes);
        }
    }

    /// Judges what was folded at `now`; for when [`Machine::ask_after`] is reached or a slice ended.
    pub fn check(&mut self, now: Instant) {
        let now = self.line.read(now);
        if self.mode != Mode::Disabled && self.holders == 0 && self.is_closed() {
            self.tracker.advance(&self.config.trip, now);
            self.judge(now);
        }
    }

    /// Adds calls that were refused without asking.
    pub fn fold_rejected(&mut self, count: u32) {
        if count > 0 {
            let rejected = &mut self.history_mut().totals.rejected;
            *rejected = rejected.saturating_add(u64::from(count));
        }
    }

    /// Closes the breaker and forgets what it has counted; isolation stays.
    pub fn reset(&mut self, now: Instant) {
        let now = self.line.read(now);
        if let Some(history) = &mut self.history {
            history.last_failure = None;
        }
        self.close(now);
    }

    /// Opens the breaker as if its rule had done so; it recovers in the ordinary way.
    /// `wall_ms` is kept as the time of the last failure.
    pub fn force_open(&mut self, now: Instant, wall_ms: f64) {
        let now = self.line.read(now);
        if let (Tracker::Consecutive { streak }, TripRule::Consecutive(threshold)) =
            (&mut self.tracker, &self.config.trip)
        {
            *streak = *threshold;
        }
        self.history_mut().last_failure = Some((now, wall_ms));
        self.open(now, Cause::Forced, None);
    }

    /// Refuses every call until as many [`Machine::release`]s as isolations have come.
    pub fn isolate(&mut self, now: Instant) {
        let now = self.line.read(now);
        if self.holders == 0 {
            self.since = now;
            self.next_generation();
        }
        self.holders = self.holders.saturating_add(1);
    }

    /// Gives one isolation back; the last one closes the breaker.
    pub fn release(&mut self, now: Instant) {
        self.line.read(now);
        self.release_some(1);
    }

    /// Gives back isolations of a holder that is gone, at the latest time seen.
    pub(super) fn release_some(&mut self, holds: u32) {
        if self.holders > 0 && self.holders <= holds {
            self.holders = 0;
            self.close(self.line.now());
        }
        self.holders = self.holders.saturating_sub(holds);
    }

    /// Changes what the breaker does with its decisions; leaving [`Mode::Disabled`] closes it.
    pub fn set_mode(&mut self, mode: Mode, now: Instant) {
        let now = self.line.read(now);
        if self.mode == mode {
            return;
        }
        if self.mode == Mode::Disabled || mode == Mode::Disabled {
            self.close(now);
        }
        self.mode = mode;
    }

    /// What the breaker does with calls. An open breaker stays open until a call asks.
    #[must_use]
    pub fn state(&self) -> State {
        if self.holders > 0 {
            return State::Isolated;
        }
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen(_) => State::HalfOpen,
            Phase::Recovering(_) => State::Recovering,
        }
    }

    /// Whether the breaker acts on what it decides.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Raised by one with every change of state.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Failures the rule has counted: in a row, within the time, or in the window.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.tracker.counts().failures
    }

    /// Whether a probe is out.
    #[must_use]
    pub fn is_testing(&self) -> bool {
        matches!(&self.phase, Phase::HalfOpen(trial) if trial.is_testing())
    }

    /// The next point of the caller's clock at which the answer may change by itself.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.holders > 0 || self.mode == Mode::Disabled {
            return None;
        }
        let at = match &self.phase {
            Phase::Closed => None,
            Phase::Open { until } => Some(*until),
            Phase::HalfOpen(trial) => trial.next_expiry(),
            Phase::Recovering(_) => {
                self.config.reclose.as_ref().map(|reclose| self.since.after(reclose.step))
            }
        };
        at.map(|at| self.line.raw(at))
    }

    /// After how many more successes, and nothing else, a closed breaker could open.
    #[must_use]
    pub fn ask_after(&self) -> Option<u32> {
        if self.mode == Mode::Disabled || !self.is_closed() {
            return None;
        }
        self.tracker.ask_after(&self.config.trip)
    }

    /// While the caller's clock is within these points, successes may be counted without
    /// asking; `None` where time plays no part.
    #[must_use]
    pub fn slice(&self) -> Option<(Instant, Instant)> {
        let (from, until) = self.tracker.slice()?;
        if self.mode == Mode::Disabled {
            return None;
        }
        Some((self.line.raw(from), self.line.raw(until)))
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    fn permit(&self, probe: u32) -> RawPermit {
        RawPermit { generation: self.generation, probe }
    }

    pub(crate) fn history(&self) -> &History {
        static NONE: History = History::NONE;
        self.history.as_deref().unwrap_or(&NONE)
    }

    pub(crate) fn history_mut(&mut self) -> &mut History {
        self.history.get_or_insert_with(|| Box::new(History::NONE))
    }

    fn count(&mut self, settled: Settled) {
        if settled.outcome == Outcome::Success {
            self.successes = self.successes.saturating_add(1);
            if !settled.slow {
                return;
            }
        }
        let totals = &mut self.history_mut().totals;
        match settled.outcome {
            Outcome::Success => {}
            Outcome::Failure => totals.failures = totals.failures.saturating_add(1),
            Outcome::Neutral => totals.neutral = totals.neutral.saturating_add(1),
        }
        totals.slow = totals.slow.saturating_add(u64::from(settled.slow));
    }

    fn count_late(&mut self) {
        let late = &mut self.history_mut().totals.late;
        *late = late.saturating_add(1);
    }
}
