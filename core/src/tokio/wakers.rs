//! Whom to wake, in places that a lock guards.
//!
//! A waker may be all that is left of a task: where it is replaced, woken or dropped, anybody's code
//! may run, and ask for what is locked just then. So none of that is done here; wakers are handed out,
//! for when the lock is open again.

use std::mem;
#[cfg(feature = "tower")]
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering, fence},
};
use std::task::Waker;

#[cfg(feature = "tower")]
use crate::sync::lock;

/// Puts `new` in the place of the waker that was there, which is handed out, unless both wake the same.
#[must_use = "to be dropped where nothing is locked"]
pub(super) fn replace(place: &mut Option<Waker>, new: &Waker) -> Option<Waker> {
    match place {
        Some(known) if known.will_wake(new) => None,
        _ => place.replace(new.clone()),
    }
}

/// Those who wait for the same, each in a seat.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: usize,
    free: Vec<usize>,
    wakers: Vec<Option<Waker>>,
}

impl Seats {
    pub(super) fn sit_down(&mut self) -> usize {
        let seat = self.free.pop().unwrap_or(self.taken);
        self.taken = self.taken.saturating_add(1);
        seat
    }

    /// The waker of who leaves.
    #[must_use = "to be dropped where nothing is locked"]
    pub(super) fn stand_up(&mut self, seat: usize) -> Option<Waker> {
        self.taken = self.taken.saturating_sub(1);
        self.free.push(seat);
        self.wakers.get_mut(seat).and_then(Option::take)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Whom to wake for who sits there, in the place of the one that is handed out.
    #[must_use = "to be dropped where nothing is locked"]
    pub(super) fn register(&mut self, seat: usize, waker: &Waker) -> Option<Waker> {
        if self.wakers.len() <= seat {
            self.wakers.resize(seat.saturating_add(1), None);
        }
        self.wakers.get_mut(seat).and_then(|place| replace(place, waker))
    }

    /// All of them, to be woken once.
    #[must_use = "to be woken where nothing is locked"]
    pub(super) fn all(&mut self) -> Vec<Option<Waker>> {
        mem::take(&mut self.wakers)
    }
}

/// Wakes them all.
pub(super) fn wake(wakers: Vec<Option<Waker>>) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// Those who wait for something that hardly ever happens, to which asking for them must cost nothing.
#[cfg(feature = "tower")]
#[derive(Debug, Default)]
pub(super) struct Crowd {
    waiting: AtomicUsize,
    seats: Mutex<Seats>,
}

#[cfg(feature = "tower")]
impl Crowd {
    pub(super) fn sit_down(&self) -> usize {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        lock(&self.seats).sit_down()
    }

    pub(super) fn stand_up(&self, seat: usize) {
        let waker = lock(&self.seats).stand_up(seat);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        drop(waker);
    }

    /// Wakes who sits there when it happens. Whether it has happened is to be looked at after this.
    pub(super) fn register(&self, seat: usize, waker: &Waker) {
        let before = lock(&self.seats).register(seat, waker);
        drop(before);
        fence(Ordering::SeqCst);
    }

    /// Wakes all, after it has happened.
    pub(super) fn wake_all(&self) {
        // Either they are seen here, or they see what has happened.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            let wakers = lock(&self.seats).all();
            wake(wakers);
        }
    }
}
