//! The tries of one call, as a retry counts them.

use std::borrow::Borrow;
use std::time::Duration;

use super::budget::Spent;
use super::clock;
use super::retry::Retry;
use crate::classify::Judged;
use crate::retry::{Decision, Failure};
use crate::{Instant, events};

/// The tries of one call.
#[derive(Debug)]
pub(crate) struct Tries<R> {
    retry: R,
    /// How many there have been.
    made: u32,
    /// Where that matters: reading the clock costs more than all the rest of a call that succeeds.
    began: Option<Instant>,
    previous: Duration,
    deadline: Option<Instant>,
    /// What the call, and the repetition under way, have taken of a budget.
    spent: Option<(Spent, Option<Spent>)>,
}

impl<R: Borrow<Retry>> Tries<R> {
    /// None yet.
    #[inline]
    pub(crate) const fn new(retry: R, deadline: Option<Instant>) -> Self {
        let (began, previous) = (None, Duration::ZERO);
        Self { retry, made: 0, began, previous, deadline, spent: None }
    }

    /// The first one begins.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if self.retry.borrow().keeps_count() {
            self.begin_counted();
        }
    }

    #[inline(never)]
    fn begin_counted(&mut self) {
        let retry = self.retry.borrow();
        self.spent = retry.budget().map(|budget| (budget.began(), None));
        self.began = retry.is_timed().then(clock::now);
    }

    /// After which wait there is another try, given how the last one ended; `None`: none.
    /// `wanted` is the caller's word on a failure.
    #[inline]
    pub(crate) fn again(&mut self, judged: Judged, wanted: Option<bool>) -> Option<Duration> {
        let wait = match judged {
            Judged::Success | Judged::Neutral => None,
            failed => self.after_failure(failed, wanted),
        };
        if wait.is_none() && self.spent.is_some() {
            self.spent = None;
        }
        wait
    }

    #[inline(never)]
    fn after_failure(&mut self, judged: Judged, wanted: Option<bool>) -> Option<Duration> {
        self.made = self.made.saturating_add(1);
        if let Some((_, repetition)) = &mut self.spent {
            *repetition = None;
        }
        let (verdict, refused, delay) = match judged {
            Judged::Failure(verdict) => (verdict, false, None),
            Judged::Refused(after) => (None, true, after),
            Judged::Success | Judged::Neutral => return None,
        };
        let now = clock::now();
        let failure = Failure {
            elapsed: self.began.map_or(Duration::ZERO, |began| now.since(began)),
            previous: self.previous,
            wanted,
            refused,
            delay,
            remaining: self.deadline.map(|deadline| deadline.since(now)),
            ..Failure::new(self.made, verdict)
        };
        let retry = self.retry.borrow();
        let Decision::After(wait) = retry.decide(&failure) else { return None };
        if let Some((budget, (_, repetition))) = retry.budget().zip(self.spent.as_mut()) {
            *repetition = Some(budget.allow()?);
        }
        self.previous = wait;
        events::retried(retry.name(), self.made, wait);
        Some(wait)
    }
}
