//! Who waits for permits, in the order of coming.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::Duration;

use crate::Instant;
use crate::limit::rate::{Decision, RateLimiter, Refusal};
use crate::tokio::wakers;

/// Who waits, the first one first. Whoever leaves from the middle leaves a gap.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The number of the first, who is never a gap.
    first: u64,
    waiting: VecDeque<Option<Waiting>>,
    /// Who had a turn and has not been polled since. Not in line any more: a future may be kept for
    /// ever.
    ended: BTreeMap<u64, Ended>,
}

#[derive(Debug)]
struct Waiting {
    permits: u32,
    waker: Option<Waker>,
}

/// How waiting has ended.
pub(super) type Ended = Result<(), Refusal>;

/// What has become of who is polled.
#[derive(Debug)]
pub(super) enum Seen {
    Ended(Ended),
    /// Until when.
    Waits(Instant),
}

/// What is to be done where nothing is locked, when somebody was polled.
#[derive(Debug)]
#[must_use]
pub(super) struct Looked {
    pub(super) seen: Seen,
    /// Whom to wake.
    pub(super) moved: Vec<Option<Waker>>,
    /// Not to be woken any more, to be dropped.
    pub(super) old: Option<Waker>,
}

/// The same when somebody has left: wakers to be dropped and woken.
#[derive(Debug)]
#[must_use]
pub(super) struct Left {
    /// Of who has left.
    pub(super) gone: Option<Waker>,
    /// Of who is first now and was not before.
    pub(super) next: Option<Waker>,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, permits: u32) -> u64 {
        self.waiting.push_back(Some(Waiting { permits, waker: None }));
        self.first.wrapping_add(self.waiting.len() as u64).wrapping_sub(1)
    }

    fn at(&mut self, number: u64) -> Option<&mut Option<Waiting>> {
        let place = usize::try_from(number.wrapping_sub(self.first)).ok()?;
        self.waiting.get_mut(place)
    }

    fn front(&mut self) -> Option<&mut Waiting> {
        self.waiting.front_mut().and_then(Option::as_mut)
    }

    fn take(&mut self, number: u64) -> Option<Waiting> {
        let gone = self.at(number).and_then(Option::take);
        while let Some(None) = self.waiting.front() {
            self.waiting.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        gone
    }

    /// Lets those go whose turn it is, polled or not: whom to wake, and in how long it is the turn of
    /// the first of the others.
    #[must_use = "to be woken where nothing is locked"]
    pub(super) fn move_up(
        &mut self,
        limiter: &mut RateLimiter,
        now: Instant,
    ) -> (Vec<Option<Waker>>, Duration) {
        let mut moved = Vec::new();
        let mut has_moved = false;
        while let Some(front) = self.front() {
            let ended = match limiter.advance(front.permits, now) {
                Decision::Wait(wait) => {
                    // Its turn may have come closer than it knows.
                    if has_moved && let Some(waker) = front.waker.take() {
                        moved.push(Some(waker));
                    }
                    return (moved, wait);
                }
                Decision::Granted => Ok(()),
                Decision::Refused(refusal) => Err(refusal),
            };
            let number = self.first;
            has_moved = true;
            moved.extend(self.take(number).map(|gone| gone.waker).filter(Option::is_some));
            self.ended.insert(number, ended);
        }
        (moved, Duration::MAX)
    }

    /// What has become of who is polled, after those went whose turn it is.
    pub(super) fn look(
        &mut self,
        number: u64,
        waker: &Waker,
        limiter: &mut RateLimiter,
        now: Instant,
    ) -> Looked {
        // Who is polled need not be woken.
        let mut mine = self.at(number).and_then(Option::as_mut).and_then(|it| it.waker.take());
        let before = self.first;
        let (moved, wait) = self.move_up(limiter, now);
        if let Some(ended) = self.ended.remove(&number) {
            return Looked { seen: Seen::Ended(ended), moved, old: mine };
        }
        // Those before who have not gone by themselves may not do so next time either.
        let wait = if self.first == number || self.first != before {
            wait
        } else {
            limiter.turn(self.behind(number), now)
        };
        let old = wakers::replace(&mut mine, waker);
        if let Some(Some(waiting)) = self.at(number) {
            waiting.waker = mine;
        }
        Looked { seen: Seen::Waits(now.after(wait)), moved, old }
    }

    /// Takes one out who does not wait any more; none if the turn had come already.
    pub(super) fn leave(&mut self, number: u64, limiter: &mut RateLimiter) -> Option<Left> {
        if self.ended.remove(&number).is_some() {
            return None;
        }
        let was_first = number == self.first;
        let gone = self.take(number)?;
        limiter.leave(gone.permits);
        let next = self.front().filter(|_| was_first).and_then(|next| next.waker.take());
        Some(Left { gone: gone.waker, next })
    }

    /// All who wait, to look anew.
    #[must_use = "to be woken where nothing is locked"]
    pub(super) fn all(&mut self) -> Vec<Option<Waker>> {
        self.waiting.iter_mut().flatten().map(|waiting| waiting.waker.take()).collect()
    }

    /// For how many permits those wait who came after.
    fn behind(&self, number: u64) -> u64 {
        let after = self.first.wrapping_add(self.waiting.len() as u64).wrapping_sub(number);
        let after = usize::try_from(after).unwrap_or(usize::MAX).saturating_sub(1);
        let behind = self.waiting.iter().rev().take(after).flatten();
        behind.map(|waiting| u64::from(waiting.permits)).sum()
    }
}
