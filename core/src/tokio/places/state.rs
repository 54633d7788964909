//! Who has a place and who waits for one.

use std::mem;
use std::task::Waker;
use std::time::Duration;

use crate::limit::adaptive::AdaptiveLimiter;
use crate::limit::bulkhead::{Bulkhead, BulkheadConfig, Next, Waiter};
use crate::limit::priority::Priorities;
use crate::tokio::wakers;
use crate::{Instant, Outcome};

#[derive(Debug)]
pub(in crate::tokio) struct State {
    pub(in crate::tokio) bulkhead: Bulkhead,
    pub(in crate::tokio) adaptive: Option<AdaptiveLimiter>,
    pub(in crate::tokio) priorities: Option<Priorities>,
    /// Seats of those who wait, by the number that their futures know.
    seats: Vec<Seat>,
    free: Vec<usize>,
    /// The seat of who waits in a slot of the queue. A slot is taken anew as soon as who waited there
    /// is let in, which its future learns later.
    by_slot: Vec<usize>,
}

#[derive(Debug)]
enum Seat {
    Free,
    Waiting(Option<Waker>),
    Admitted,
    Expired,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    seat: usize,
    waiter: Waiter,
    pub(super) since: Instant,
}

impl State {
    pub(super) const fn new(bulkhead: Bulkhead, adaptive: Option<AdaptiveLimiter>) -> Self {
        Self {
            bulkhead,
            adaptive,
            priorities: None,
            seats: Vec::new(),
            free: Vec::new(),
            by_slot: Vec::new(),
        }
    }

    pub(super) fn sit(&mut self, waiter: Waiter, since: Instant) -> Ticket {
        let seat = self.free.pop().unwrap_or_else(|| {
            self.seats.push(Seat::Free);
            self.seats.len().saturating_sub(1)
        });
        if let Some(place) = self.seats.get_mut(seat) {
            *place = Seat::Waiting(None);
        }
        let slot = waiter.slot() as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot.saturating_add(1), usize::MAX);
        }
        if let Some(of) = self.by_slot.get_mut(slot) {
            *of = seat;
        }
        Ticket { seat, waiter, since }
    }

    /// Frees a seat; the waker of who sat there.
    #[must_use = "to be dropped where nothing is locked"]
    fn stand_up(&mut self, seat: usize) -> Option<Waker> {
        let place = self.seats.get_mut(seat)?;
        let before = mem::replace(place, Seat::Free);
        self.free.push(seat);
        match before {
            Seat::Waiting(waker) => waker,
            _ => None,
        }
    }

    /// Who has that ticket waits no more, or wants the place no more that it was given; the waker.
    #[must_use = "to be dropped where nothing is locked"]
    pub(super) fn give_up(&mut self, ticket: Ticket, now: Instant) -> Option<Waker> {
        if !self.bulkhead.cancel(ticket.waiter)
            && matches!(self.seats.get(ticket.seat), Some(Seat::Admitted))
        {
            self.end(now, Outcome::Neutral, now);
        }
        self.stand_up(ticket.seat)
    }

    /// The wakers of all who wait, to look anew.
    #[must_use = "to be woken where nothing is locked"]
    pub(super) fn all(&mut self) -> Vec<Option<Waker>> {
        let waiting = self.seats.iter_mut().map(|seat| match seat {
            Seat::Waiting(waker) => waker.take(),
            _ => None,
        });
        waiting.collect()
    }

    /// What has become of who waits with that ticket, and the waker that is not to be woken any more.
    #[must_use = "to be dropped where nothing is locked"]
    pub(super) fn look(
        &mut self,
        ticket: Ticket,
        waker: &Waker,
        now: Instant,
    ) -> (Seen, Option<Waker>) {
        let seen = match self.seats.get_mut(ticket.seat) {
            Some(Seat::Waiting(known)) => {
                let before = wakers::replace(known, waker);
                return (Seen::Waits(self.bulkhead.explain(now).config.queue_timeout), before);
            }
            Some(Seat::Admitted) => Seen::Admitted(now),
            _ => Seen::Expired,
        };
        (seen, self.stand_up(ticket.seat))
    }

    /// Lets the next one in, or out; whom to wake, if anybody was moved.
    pub(super) fn move_up(&mut self, now: Instant) -> Option<Option<Waker>> {
        let (waiter, seat) = match self.bulkhead.next(now)? {
            Next::Admitted(waiter) => {
                self.begin();
                (waiter, Seat::Admitted)
            }
            Next::Expired(waiter) => (waiter, Seat::Expired),
        };
        let number = self.by_slot.get(waiter.slot() as usize).copied().unwrap_or(usize::MAX);
        let place = self.seats.get_mut(number)?;
        match mem::replace(place, seat) {
            Seat::Waiting(waker) => Some(waker),
            _ => Some(None),
        }
    }

    /// A call begins that has its place already.
    pub(super) fn begin(&mut self) {
        if let Some(adaptive) = &mut self.adaptive {
            // There is room: the places are as many as the limit.
            let _ = adaptive.start();
        }
    }

    /// A call is over that began then, and its place is free.
    pub(super) fn end(&mut self, since: Instant, outcome: Outcome, now: Instant) {
        self.bulkhead.leave();
        if let Some(adaptive) = &mut self.adaptive
            && adaptive.end(now.since(since), outcome, now)
        {
            self.follow();
        }
    }

    /// As many places as the limit.
    pub(in crate::tokio) fn follow(&mut self) {
        if let Some(adaptive) = &self.adaptive {
            let config = self.bulkhead.explain(Instant::ZERO).config;
            let max_concurrent = adaptive.limit();
            self.bulkhead.set(BulkheadConfig { max_concurrent, ..config });
        }
    }
}

pub(super) enum Seen {
    Waits(Option<Duration>),
    Admitted(Instant),
    Expired,
}
