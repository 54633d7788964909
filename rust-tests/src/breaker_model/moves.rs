//! When the model changes its state.

use std::time::Duration;

use seawall::Outcome;
use seawall::Rng;
use seawall::breaker::{Cause, Counts, OpenFor, Opened, TripRule};

use super::{Model, Phase, nanos};

/// Shares are taken as so many parts.
const PARTS: f64 = 10_000.0;

impl Model {
    pub(super) fn judge(&mut self, now: u64) {
        let half_open = self.config.half_open;
        match &self.phase {
            Phase::Open { .. } => {}
            Phase::Closed { .. } => {
                if let Some(cause) = self.verdict(self.counts()) {
                    self.open(now, cause, None);
                }
            }
            Phase::HalfOpen { probes, .. } => {
                let ended = |outcome| probes.iter().filter(|p| p.ended == Some(outcome)).count();
                let required = required(half_open.success_rate, half_open.permits as usize);
                if ended(Outcome::Success) >= required {
                    self.recover(0, now);
                } else if ended(Outcome::Failure) > half_open.permits as usize - required {
                    self.open(now, Cause::Recovery, None);
                }
            }
            Phase::Recovering { step, results, .. } => {
                let reclose = self.config.reclose.as_ref().expect("there are steps");
                let of = reclose.calls as usize;
                let failures = results.iter().filter(|good| !**good).count();
                if failures > of - required(half_open.success_rate, of) {
                    self.open(now, Cause::Recovery, None);
                } else if results.len() >= of {
                    self.recover(step + 1, now);
                }
            }
        }
    }

    /// Ends the steps whose time is over, each on the results it has.
    pub(super) fn end_steps(&mut self, now: u64) {
        while let Phase::Recovering { since, step, results } = &self.phase {
            let reclose = self.config.reclose.as_ref().expect("there are steps");
            let end = since + nanos(reclose.step);
            if now < end {
                return;
            }
            let of = results.len();
            let failures = results.iter().filter(|good| !**good).count();
            if of > 0 && failures > of - required(self.config.half_open.success_rate, of) {
                self.open(end, Cause::Recovery, None);
            } else {
                self.recover(step + 1, end);
            }
        }
    }

    pub(super) fn verdict(&self, counts: Counts) -> Option<Cause> {
        let Counts { calls, failures, slow } = counts;
        match &self.config.trip {
            TripRule::Consecutive(threshold) => {
                (failures >= *threshold).then_some(Cause::Consecutive)
            }
            TripRule::Failures { failures: threshold, .. } => {
                (failures >= *threshold).then_some(Cause::Failures)
            }
            TripRule::Rate(rule) if calls < rule.minimum_calls => None,
            TripRule::Rate(rule) => {
                let reached = |count: u32, rate: f64| {
                    count > 0 && u64::from(count) * PARTS as u64 >= parts(rate) * u64::from(calls)
                };
                if rule.failure_rate.is_some_and(|rate| reached(failures, rate)) {
                    return Some(Cause::FailureRate);
                }
                rule.slow.filter(|rule| reached(slow, rule.rate)).map(|_| Cause::SlowRate)
            }
        }
    }

    pub(super) fn open(&mut self, now: u64, cause: Cause, open_for: Option<Duration>) {
        if self.is_closed() {
            self.looked = now;
        }
        self.opened = Opened { cause, counts: self.counts() };
        let number = self.openings() + 1;
        let lasts = open_for.unwrap_or_else(|| match &self.config.open_for {
            OpenFor::Fixed(duration) => *duration,
            OpenFor::Backoff(backoff) => {
                let before = self.openings.last().copied().unwrap_or_default();
                let mut rng = Rng::new(self.seed.wrapping_add(u64::from(number)));
                backoff.wait(number, before, &mut rng)
            }
        });
        self.openings.push(lasts);
        self.open_for = lasts;
        self.enter(Phase::Open { since: now, lasts });
    }

    pub(super) fn recover(&mut self, step: usize, now: u64) {
        let steps = self.config.reclose.as_ref().map_or(0, |reclose| reclose.shares.len());
        if step < steps {
            self.enter(Phase::Recovering { since: now, step, results: Vec::new() });
        } else {
            self.close(now);
        }
    }

    pub(super) fn close(&mut self, now: u64) {
        self.log.clear();
        self.openings.clear();
        self.enter(Phase::Closed { since: now });
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }
}

/// How many of `of` must succeed: the share of them, rounded up, at least one.
fn required(share: f64, of: usize) -> usize {
    let of = u64::try_from(of).unwrap();
    let needed = (parts(share) * of).div_ceil(PARTS as u64).max(1);
    usize::try_from(needed).unwrap()
}

fn parts(share: f64) -> u64 {
    let parts = (share * PARTS).round();
    assert!((parts / PARTS - share).abs() < 1e-12, "the model takes shares of {PARTS} parts");
    parts as u64
}
