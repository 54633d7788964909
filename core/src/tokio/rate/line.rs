//! Who waits for permits, in the order of coming.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::task::Waker;
use std::time::Duration;

use crate::Instant;
use crate::limit::rate::{Decision, RateLimiter, Refusal};
use crate::tokio::wakers;

/// Who waits, by numbers in the order of coming.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The number of the next one who comes.
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
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
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.waiting.insert(number, Waiting { permits, waker: None });
        number
    }

    fn first(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|(number, _)| *number)
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
        while let Some(mut front) = self.waiting.first_entry() {
            let ended = match limiter.advance(front.get().permits, now) {
                Decision::Wait(wait) => {
                    // Its turn may have come closer than it knows.
                    if has_moved && let Some(waker) = front.get_mut().waker.take() {
                        moved.push(Some(waker));
                    }
                    return (moved, wait);
                }
                Decision::Granted => Ok(()),
                Decision::Refused(refusal) => Err(refusal),
            };
            has_moved = true;
            let (number, gone) = front.remove_entry();
            moved.extend(gone.waker.map(Some));
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
        let mut mine = self.waiting.get_mut(&number).and_then(|it| it.waker.take());
        let before = self.first();
        let (moved, wait) = self.move_up(limiter, now);
        if let Some(ended) = self.ended.remove(&number) {
            return Looked { seen: Seen::Ended(ended), moved, old: mine };
        }
        // Those before who have not gone by themselves may not do so next time either.
        let first = self.first();
        let wait = if first == Some(number) || first != before {
            wait
        } else {
            limiter.turn(self.behind(number), now)
        };
        let old = wakers::replace(&mut mine, waker);
        if let Some(waiting) = self.waiting.get_mut(&number) {
            waiting.waker = mine;
        }
        Looked { seen: Seen::Waits(now.after(wait)), moved, old }
    }

    /// Takes one out who does not wait any more; none if the turn had come already.
    pub(super) fn leave(&mut self, number: u64, limiter: &mut RateLimiter) -> Option<Left> {
        if self.ended.remove(&number).is_some() {
            return None;
        }
        let was_first = self.first() == Some(number);
        let gone = self.waiting.remove(&number)?;
        limiter.leave(gone.permits);
        let next = self.waiting.first_entry().filter(|_| was_first);
        let next = next.and_then(|mut next| next.get_mut().waker.take());
        Some(Left { gone: gone.waker, next })
    }

    /// All who wait, to look anew.
    #[must_use = "to be woken where nothing is locked"]
    pub(super) fn all(&mut self) -> Vec<Option<Waker>> {
        self.waiting.values_mut().map(|waiting| waiting.waker.take()).collect()
    }

    /// For how many permits those wait who came after.
    fn behind(&self, number: u64) -> u64 {
        let behind = self.waiting.range((Bound::Excluded(number), Bound::Unbounded));
        behind.map(|(_, waiting)| u64::from(waiting.permits)).sum()
    }
}
