//! How the machine goes from one phase into another.

use alloc::boxed::Box;
use core::time::Duration;

use super::{Machine, Opened, Phase, Step};
use crate::breaker::config::OpenFor;
use crate::breaker::permit::GENERATION_BITS;
use crate::breaker::trial::Trial;
use crate::breaker::trip::{Cause, Tracker};
use crate::rng::Rng;
use crate::time::Instant;

impl Machine {
    pub(super) fn judge(&mut self, now: Instant) {
        if let Some(cause) = self.tracker.verdict(&self.config.trip) {
            self.open(now, cause, None);
        }
    }

    /// Lets a streak of failures go on while the breaker is not closed.
    pub(super) fn note_failure_outside(&mut self, failed: bool) {
        if let (true, Tracker::Consecutive { streak }) = (failed, &mut self.tracker) {
            *streak = streak.saturating_add(1);
        }
    }

    pub(super) fn open(&mut self, now: Instant, cause: Cause, open_for: Option<Duration>) {
        if self.is_closed() {
            self.tracker.advance(&self.config.trip, now);
        }
        let counts = self.tracker.counts();
        let openings = self.history().openings.saturating_add(1);
        let open_for = open_for.unwrap_or_else(|| self.next_open_for(openings));
        let history = self.history_mut();
        history.opened = Opened { cause, counts };
        history.openings = openings;
        history.open_for = open_for;
        // Open for longer than the duration, not as long: `resetTimeMs` has always meant that.
        let until = now.after(open_for).after(Duration::from_nanos(1));
        self.enter(Phase::Open { until }, now);
    }

    fn next_open_for(&self, openings: u32) -> Duration {
        match &self.config.open_for {
            OpenFor::Fixed(duration) => *duration,
            OpenFor::Backoff(backoff) => {
                let last = self.history().open_for;
                let previous = if openings > 1 { last } else { Duration::ZERO };
                let mut rng = Rng::new(self.seed.wrapping_add(u64::from(openings)));
                backoff.wait(openings, previous, &mut rng)
            }
        }
    }

    pub(super) fn enter_half_open(&mut self, now: Instant) {
        let lease = self.config.half_open.lease.unwrap_or(self.history().open_for);
        let lease = lease.max(Duration::from_millis(1));
        self.enter(Phase::HalfOpen(Box::new(Trial::new(lease))), now);
    }

    /// Begins step `index` of the re-close, or closes after the last.
    pub(super) fn recover(&mut self, index: u16, now: Instant) {
        let steps = self.config.reclose.as_ref().map_or(0, |reclose| reclose.shares.len());
        if usize::from(index) < steps {
            self.enter(Phase::Recovering(Step { index, successes: 0, failures: 0 }), now);
        } else {
            self.close(now);
        }
    }

    /// Ends steps whose time is over.
    pub(super) fn lapse(&mut self, now: Instant) {
        while let Some(reclose) = &self.config.reclose
            && matches!(self.phase, Phase::Recovering(_))
            && now.since(self.since) >= reclose.step
        {
            let end = self.since.after(reclose.step);
            self.judge_step(end, true);
        }
    }

    /// Passes or fails a step as soon as its results are certain, or when its time is over.
    pub(super) fn judge_step(&mut self, now: Instant, over: bool) {
        let (Phase::Recovering(step), Some(reclose)) = (&self.phase, &self.config.reclose) else {
            return;
        };
        let Step { index, successes, failures } = *step;
        let seen = successes.saturating_add(failures);
        let of = if over { seen } else { reclose.calls };
        let required = if of == 0 { 0 } else { self.config.half_open.required(of) };
        if failures > of.saturating_sub(required) {
            self.open(now, Cause::Recovery, None);
        } else if over || seen >= of {
            self.recover(index.saturating_add(1), now);
        }
    }

    pub(in crate::breaker) fn close(&mut self, now: Instant) {
        self.tracker.clear();
        if let Some(history) = &mut self.history {
            history.causes.clear();
            history.openings = 0;
        }
        self.enter(Phase::Closed, now);
    }

    /// The only place that changes the phase.
    pub(crate) fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.since = now;
        self.next_generation();
    }

    pub(super) fn next_generation(&mut self) {
        let mask = (1u32 << GENERATION_BITS).wrapping_sub(1);
        self.generation = self.generation.wrapping_add(1) & mask;
    }
}
