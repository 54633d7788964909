//! What the model shows of itself.

use std::time::Duration;

use seawall::breaker::{Counts, Mode, Opened, RateRule, State, Totals, TripRule, Window};

use super::{Event, Model, Phase, nanos};

impl Model {
    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            _ if self.holders > 0 => State::Isolated,
            Phase::Closed { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Recovering { .. } => State::Recovering,
        }
    }

    /// How often the state has changed.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// What the rule counts, recounted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let calls = self.log.iter().filter_map(|event| match *event {
            Event::Call { at, failed, slow } => Some((at, failed, slow)),
            _ => None,
        });
        let calls: Vec<_> = calls.collect();
        match &self.config.trip {
            TripRule::Consecutive(threshold) => {
                let mut streak = 0;
                for event in &self.log {
                    streak = match event {
                        Event::Call { failed: false, .. } => 0,
                        Event::Call { .. } | Event::FailureOutside => streak + 1,
                        Event::Forced => *threshold,
                    };
                }
                Counts { calls: streak, failures: streak, slow: 0 }
            }
            TripRule::Failures { failures: threshold, within } => {
                let recent = calls.iter().filter(|(at, failed, _)| {
                    *failed && Duration::from_nanos(self.looked.saturating_sub(*at)) <= *within
                });
                let failures = u32::try_from(recent.count()).unwrap().min(*threshold);
                Counts { calls: failures, failures, slow: 0 }
            }
            TripRule::Rate(RateRule { window: Window::Calls(size), .. }) => {
                let first = calls.len().saturating_sub(*size as usize);
                sum(&calls[first..])
            }
            TripRule::Rate(RateRule { window: Window::Time { span, slices }, .. }) => {
                let slice = (nanos(*span) / u64::from(*slices)).max(1);
                let newest = self.looked / slice;
                let recent = |at: u64| at / slice + u64::from(*slices) > newest;
                let calls: Vec<_> = calls.into_iter().filter(|(at, ..)| recent(*at)).collect();
                sum(&calls)
            }
        }
    }

    /// After how many successes in a row, now, it would open.
    #[must_use]
    pub fn ask_after(&self) -> Option<u32> {
        let TripRule::Rate(rule) = &self.config.trip else { return None };
        if self.mode == Mode::Disabled || !self.is_closed() {
            return None;
        }
        let counts = self.counts();
        (1..=rule.minimum_calls).find(|more| {
            let calls = counts.calls + more;
            counts.calls < rule.minimum_calls && self.verdict(Counts { calls, ..counts }).is_some()
        })
    }

    /// When it last opened, and why.
    #[must_use]
    pub const fn opened(&self) -> Opened {
        self.opened
    }

    /// How long the last opening was to last.
    #[must_use]
    pub const fn open_for(&self) -> Duration {
        self.open_for
    }

    /// Openings since the last closing.
    #[must_use]
    pub fn openings(&self) -> u32 {
        u32::try_from(self.openings.len()).unwrap()
    }

    /// All calls.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// How long ago the last failure was that counted.
    #[must_use]
    pub fn last_failure(&self) -> Option<Duration> {
        self.last_failure.map(|at| Duration::from_nanos(self.time().0 - at))
    }

    /// For how long it has been as it is.
    #[must_use]
    pub fn since(&self) -> Duration {
        let (Phase::Closed { since }
        | Phase::Open { since, .. }
        | Phase::HalfOpen { since, .. }
        | Phase::Recovering { since, .. }) = self.phase;
        Duration::from_nanos(self.time().0 - since)
    }

    /// Whether a probe is out.
    #[must_use]
    pub fn is_testing(&self) -> bool {
        match &self.phase {
            Phase::HalfOpen { lease, probes, looked, .. } => {
                probes.iter().any(|probe| probe.is_awaited(*lease, *looked))
            }
            _ => false,
        }
    }

    /// The step of the re-close.
    #[must_use]
    pub fn step(&self) -> Option<usize> {
        if let Phase::Recovering { step, .. } = self.phase { Some(step) } else { None }
    }

    /// When the answer may change by itself, on the caller's clock.
    #[must_use]
    pub fn changes_at(&self) -> Option<u64> {
        if self.holders > 0 || self.mode == Mode::Disabled {
            return None;
        }
        let at = match &self.phase {
            Phase::Closed { .. } => None,
            Phase::Open { since, lasts } => Some(since + nanos(*lasts) + 1),
            Phase::HalfOpen { lease, probes, looked, .. } => {
                let awaited = probes.iter().filter(|probe| probe.is_awaited(*lease, *looked));
                awaited.map(|probe| probe.since + nanos(*lease)).min()
            }
            Phase::Recovering { since, .. } => {
                self.config.reclose.as_ref().map(|reclose| since + nanos(reclose.step))
            }
        };
        at.map(|at| at.saturating_sub(self.time().1))
    }
}

fn sum(calls: &[(u64, bool, bool)]) -> Counts {
    let number = |count: usize| u32::try_from(count).unwrap();
    Counts {
        calls: number(calls.len()),
        failures: number(calls.iter().filter(|(_, failed, _)| *failed).count()),
        slow: number(calls.iter().filter(|(_, _, slow)| *slow).count()),
    }
}
