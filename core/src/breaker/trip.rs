//! What a closed breaker remembers, and when it has seen enough.

use alloc::boxed::Box;
use core::time::Duration;

use super::config::{RateRule, TripRule, Window, is_share};
use super::window::{CountWindow, Counts, TimeWindow};
use crate::lists::Fifo;
use crate::time::Instant;

/// Which rule opened a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
#[non_exhaustive]
pub enum Cause {
    /// It has not been open.
    #[default]
    None = 0,
    /// Failures in a row.
    Consecutive = 1,
    /// Failures within a time.
    Failures = 2,
    /// The share of failed calls.
    FailureRate = 3,
    /// The share of slow calls.
    SlowRate = 4,
    /// Probes, or a step of the re-closing, failed.
    Recovery = 5,
    /// A result said for how long.
    Result = 6,
    /// Somebody opened it.
    Forced = 7,
}

/// The memory of a closed breaker.
#[derive(Debug, Clone)]
pub(crate) enum Tracker {
    Consecutive { streak: u32 },
    Failures(Box<FailureTimes>),
    Count(Box<CountWindow>),
    Time(Box<TimeWindow>),
}

/// When the last failures happened, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct FailureTimes {
    pub(crate) times: Fifo<Instant>,
}

impl FailureTimes {
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(crate) fn push(&mut self, at: Instant) {
        self.times.push(at);
    }

    fn forget(&mut self, now: Instant, within: Duration) {
        while self.times.first().is_some_and(|&oldest| now.since(oldest) > within) {
            self.times.pop();
        }
    }
}

impl Tracker {
    pub(crate) fn new(rule: &TripRule) -> Self {
        match rule {
            TripRule::Consecutive(_) => Self::Consecutive { streak: 0 },
            TripRule::Failures { .. } => Self::Failures(Box::default()),
            TripRule::Rate(RateRule { window, .. }) => match *window {
                Window::Calls(calls) => Self::Count(Box::new(CountWindow::new(calls))),
                Window::Time { span, slices } => {
                    Self::Time(Box::new(TimeWindow::new(span, slices)))
                }
            },
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Consecutive { streak } => *streak = 0,
            Self::Failures(failures) => failures.times.clear(),
            Self::Count(window) => window.clear(),
            Self::Time(window) => window.clear(),
        }
    }

    /// Moves on to `now`.
    pub(crate) fn advance(&mut self, rule: &TripRule, now: Instant) {
        match (self, rule) {
            (Self::Time(window), _) => window.advance(now),
            (Self::Failures(failures), TripRule::Failures { within, .. }) => {
                failures.forget(now, *within);
            }
            _ => {}
        }
    }

    /// Adds calls that neither failed nor were slow, in the slice under way.
    pub(crate) fn successes(&mut self, count: u32) {
        if count == 0 {
            return;
        }
        match self {
            Self::Consecutive { streak } => *streak = 0,
            Self::Failures(_) => {}
            Self::Count(window) => window.push_successes(count),
            Self::Time(window) => window.add(Counts { calls: count, ..Counts::default() }),
        }
    }

    /// Adds one call at the time last advanced to.
    pub(crate) fn call(&mut self, rule: &TripRule, failed: bool, slow: bool, now: Instant) {
        match self {
            Self::Consecutive { streak } => {
                *streak = if failed { streak.saturating_add(1) } else { 0 }
            }
            Self::Failures(failures) if failed => {
                if let TripRule::Failures { failures: most, .. } = rule
                    && failures.times.len() >= *most as usize
                {
                    failures.times.pop();
                }
                failures.push(now);
            }
            Self::Failures(_) => {}
            Self::Count(window) => window.push(failed, slow),
            Self::Time(window) => {
                window.add(Counts { calls: 1, failures: failed.into(), slow: slow.into() });
            }
        }
    }

    /// Which rule has seen enough, if any.
    pub(crate) fn verdict(&self, rule: &TripRule) -> Option<Cause> {
        match (self, rule) {
            (Self::Consecutive { streak }, TripRule::Consecutive(threshold)) => {
                (streak >= threshold).then_some(Cause::Consecutive)
            }
            (Self::Failures(failures), TripRule::Failures { failures: threshold, .. }) => {
                (failures.times.len() >= *threshold as usize).then_some(Cause::Failures)
            }
            (_, TripRule::Rate(rule)) => rule.verdict(self.counts()),
            _ => None,
        }
    }

    /// After how many more successes, and nothing else, the verdict could change.
    pub(crate) fn ask_after(&self, rule: &TripRule) -> Option<u32> {
        let TripRule::Rate(rule) = rule else { return None };
        let counts = self.counts();
        let missing = rule.minimum_calls.saturating_sub(counts.calls).max(1);
        let then = Counts { calls: counts.calls.saturating_add(missing), ..counts };
        rule.verdict(then).map(|_| missing)
    }

    /// From when to when successes may be counted without asking; `None` where time plays no part.
    pub(crate) fn slice(&self) -> Option<(Instant, Instant)> {
        match self {
            Self::Time(window) => Some(window.slice().unwrap_or_default()),
            _ => None,
        }
    }

    /// What the rule looks at. The consecutive rule counts only its streak.
    pub(crate) fn counts(&self) -> Counts {
        match self {
            Self::Consecutive { streak } => Counts { calls: *streak, failures: *streak, slow: 0 },
            Self::Failures(failures) => {
                let failures = u32::try_from(failures.times.len()).unwrap_or(u32::MAX);
                Counts { calls: failures, failures, slow: 0 }
            }
            Self::Count(window) => window.counts(),
            Self::Time(window) => window.counts(),
        }
    }
}

impl RateRule {
    fn verdict(&self, counts: Counts) -> Option<Cause> {
        let Counts { calls, failures, slow } = counts;
        if calls < self.minimum_calls {
            return None;
        }
        let reached = |count: u32, rate: f64| is_share(count, calls, rate);
        if self.failure_rate.is_some_and(|rate| reached(failures, rate)) {
            return Some(Cause::FailureRate);
        }
        self.slow.is_some_and(|rule| reached(slow, rule.rate)).then_some(Cause::SlowRate)
    }
}
