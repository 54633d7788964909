//! Why a breaker is as it is, as numbers.

use alloc::vec::Vec;
use core::time::Duration;

use super::config::Mode;
use super::machine::{Machine, Opened, Phase, State, Totals};
use super::window::Counts;
use crate::numbers::{put, put_count, put_time};
use crate::time::Instant;

/// Why a breaker is as it is, and when that may change.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What it does with calls.
    pub state: State,
    /// Whether it acts on what it decides.
    pub mode: Mode,
    /// The number of its changes of state.
    pub generation: u32,
    /// For how long it has been in this state.
    pub since: Duration,
    /// When the state may change by itself; `None` where only a call, or a person, changes it.
    pub changes_in: Option<Duration>,
    /// What its rule counts now.
    pub counts: Counts,
    /// Why it last opened, and what the rule had counted then.
    pub opened: Opened,
    /// How long the last opening was to last.
    pub open_for: Duration,
    /// Openings since it was last closed for good.
    pub openings: u32,
    /// Whether a probe is out.
    pub testing: bool,
    /// The step of a gradual re-close and the share of calls it lets through.
    pub step: Option<(u16, f64)>,
    /// How long ago the last failure was that counted.
    pub last_failure: Option<Duration>,
    /// The wall clock at that failure, in ms since 1970, 0 where none was given.
    pub last_failure_wall_ms: f64,
    /// Calls since construction.
    pub totals: Totals,
    /// What failed lately, the latest first: the caller's number, how often, how long ago.
    pub causes: Vec<(u32, u32, Duration)>,
}

impl Machine {
    /// Why the breaker is as it is at `now`.
    #[must_use]
    pub fn explain(&mut self, now: Instant) -> Explanation {
        let (raw, now) = (now, self.line.read(now));
        if self.is_closed() {
            self.tracker.advance(&self.config.trip, now);
        }
        let step = match &self.phase {
            Phase::Recovering(step) => {
                let shares = self.config.reclose.as_ref().map(|reclose| &reclose.shares);
                let share = shares.and_then(|shares| shares.get(usize::from(step.index)));
                Some((step.index, share.copied().unwrap_or(1.0)))
            }
            _ => None,
        };
        let history = self.history();
        Explanation {
            state: self.state(),
            mode: self.mode(),
            generation: self.generation,
            since: now.since(self.since),
            changes_in: self.poll_timeout().map(|at| at.since(raw)),
            counts: self.tracker.counts(),
            opened: history.opened,
            open_for: history.open_for,
            openings: history.openings,
            testing: self.is_testing(),
            step,
            last_failure: history.last_failure.map(|(at, _)| now.since(at)),
            last_failure_wall_ms: history.last_failure.map_or(0.0, |(_, wall_ms)| wall_ms),
            totals: Totals { successes: self.successes, ..history.totals },
            causes: history.causes.newest_first(now),
        }
    }
}

impl Explanation {
    /// All of it as numbers, for a door that passes numbers. Durations are in ms, and -1
    /// stands for none. In order: state, mode, generation, since, changes in, calls, failures,
    /// slow; then of the last opening: cause, calls, failures, slow, duration, openings; then
    /// testing (0 or 1), step (-1 for none), share, last failure, its wall clock, successes,
    /// failures, neutral, slow, late, rejected; then for each cause: number, count, ago.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        let (step, share) = self.step.map_or((-1.0, 1.0), |(step, share)| (f64::from(step), share));
        let Totals { successes, failures, neutral, slow, late, rejected } = self.totals;
        let numbers = &mut Vec::new();
        put_count(numbers, self.state as u32);
        put_count(numbers, self.mode as u32);
        put_count(numbers, self.generation);
        put_time(numbers, Some(self.since));
        put_time(numbers, self.changes_in);
        put_counts(numbers, self.counts);
        put_count(numbers, self.opened.cause as u32);
        put_counts(numbers, self.opened.counts);
        put_time(numbers, Some(self.open_for));
        put_count(numbers, self.openings);
        put_count(numbers, self.testing.into());
        put(numbers, step);
        put(numbers, share);
        put_time(numbers, self.last_failure);
        put(numbers, self.last_failure_wall_ms);
        for total in [successes, failures, neutral, slow, late, rejected] {
            put(numbers, total as f64);
        }
        for &(cause, count, ago) in &self.causes {
            put_count(numbers, cause);
            put_count(numbers, count);
            put_time(numbers, Some(ago));
        }
        core::mem::take(numbers)
    }
}

#[cfg_attr(target_family = "wasm", inline(never))]
fn put_counts(numbers: &mut Vec<f64>, counts: Counts) {
    put_count(numbers, counts.calls);
    put_count(numbers, counts.failures);
    put_count(numbers, counts.slow);
}
