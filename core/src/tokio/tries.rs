//! The tries of one call, as a retry counts them.

use std::borrow::Borrow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::time::{Sleep, sleep};

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
    deadline: Option<Instant>,
    /// In a box, which most calls never need: a future that succeeds at once is then made, moved and
    /// dropped in a few instructions.
    more: Option<Box<More>>,
}

/// What matters to a call that counts from its beginning, or has failed.
#[derive(Debug, Default)]
struct More {
    /// How many tries there have been.
    made: u32,
    /// Where that matters: reading the clock costs more than all the rest of a call that succeeds.
    began: Option<Instant>,
    previous: Duration,
    /// What the call, and the repetition under way, have taken of a budget.
    spent: Option<(Spent, Option<Spent>)>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<R: Borrow<Retry>> Tries<R> {
    /// None yet.
    #[inline]
    pub(crate) const fn new(retry: R, deadline: Option<Instant>) -> Self {
        Self { retry, deadline, more: None }
    }

    /// The first one begins.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if self.retry.borrow().keeps_count() {
            self.begin_counted();
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_counted(&mut self) {
        let retry = self.retry.borrow();
        let spent = retry.budget().map(|budget| (budget.began(), None));
        let began = retry.is_timed().then(clock::now);
        self.more = Some(Box::new(More { began, spent, ..More::default() }));
    }

    /// After which wait there is another try, given how the last one ended; `None`: none.
    /// `wanted` is the caller's word on a failure.
    #[inline]
    pub(crate) fn again(&mut self, judged: Judged, wanted: Option<bool>) -> Option<Duration> {
        let wait = match judged {
            Judged::Success | Judged::Neutral => None,
            failed => self.after_failure(failed, wanted),
        };
        if wait.is_none() && self.more.is_some() {
            self.more = None;
        }
        wait
    }

    #[cold]
    #[inline(never)]
    fn after_failure(&mut self, judged: Judged, wanted: Option<bool>) -> Option<Duration> {
        let more = self.more.get_or_insert_default();
        more.made = more.made.saturating_add(1);
        if let Some((_, repetition)) = &mut more.spent {
            *repetition = None;
        }
        let (verdict, refused, delay) = match judged {
            Judged::Failure(verdict) => (verdict, false, None),
            Judged::Refused(after) => (None, true, after),
            Judged::Success | Judged::Neutral => return None,
        };
        let now = clock::now();
        let failure = Failure {
            elapsed: more.began.map_or(Duration::ZERO, |began| now.since(began)),
            previous: more.previous,
            wanted,
            refused,
            delay,
            remaining: self.deadline.map(|deadline| deadline.since(now)),
            ..Failure::new(more.made, verdict)
        };
        let retry = self.retry.borrow();
        let Decision::After(wait) = retry.decide(&failure) else { return None };
        if let Some((budget, (_, repetition))) = retry.budget().zip(more.spent.as_mut()) {
            *repetition = Some(budget.allow()?);
        }
        more.previous = wait;
        events::retried(retry.name(), more.made, wait);
        Some(wait)
    }

    /// Begins to wait for the next one.
    #[cold]
    pub(crate) fn wait(&mut self, wait: Duration) {
        self.more.get_or_insert_default().sleep = Some(Box::pin(sleep(wait)));
    }

    /// Ready when the wait is over.
    #[cold]
    pub(crate) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = self.more.as_mut().and_then(|more| more.sleep.as_mut()) else {
            return Poll::Ready(());
        };
        sleep.as_mut().poll(cx)
    }
}
