//! An execution that many wait for and any of them may drive.

use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, TryLockError};
use std::task::{Context, Poll, Wake, Waker};

use super::super::wakers::{Seats, wake};
use super::Flights;
use crate::Instant;
use crate::sync::lock;

type Execution<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// One execution.
pub(super) struct Flight<T, E> {
    pub(super) began: Instant,
    /// `None` from when it is over. Held while it is polled, and for nothing else.
    execution: Mutex<Option<Execution<T, E>>>,
    /// What it has come to; `None` where it panicked.
    result: OnceLock<Option<Result<T, E>>>,
    crew: Arc<Crew>,
}

impl<T, E> std::fmt::Debug for Flight<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight").field("began", &self.began).finish_non_exhaustive()
    }
}

/// Those who wait.
#[derive(Debug, Default)]
struct Crew {
    seats: Mutex<Seats>,
    /// The execution has been woken and not been polled since.
    woken: AtomicBool,
}

impl Crew {
    /// All are woken, though one of them drives the execution: nobody knows which of them is going
    /// to be polled, and one that is kept and not polled must not hold up the others.
    fn wake_all(&self) {
        let wakers = lock(&self.seats).all();
        wake(wakers);
    }
}

impl Wake for Crew {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.wake_all();
    }
}

impl<T, E> Flight<T, E> {
    pub(super) fn new(began: Instant, execution: Execution<T, E>) -> Self {
        Self {
            began,
            execution: Mutex::new(Some(execution)),
            result: OnceLock::new(),
            crew: Arc::default(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.result.get().is_some()
    }

    pub(super) fn sit_down(&self) -> usize {
        lock(&self.crew.seats).sit_down()
    }

    /// Whether that was the last one, and its waker.
    pub(super) fn stand_up(&self, seat: usize) -> (bool, Option<Waker>) {
        let mut seats = lock(&self.crew.seats);
        let waker = seats.stand_up(seat);
        (seats.is_empty(), waker)
    }

    fn register(&self, seat: usize, waker: &Waker) {
        let before = lock(&self.crew.seats).register(seat, waker);
        drop(before);
    }

    /// Polls the execution unless another one does just now, who then sees to all.
    fn drive(&self) {
        let waker = Waker::from(Arc::clone(&self.crew));
        let mut execution = match self.execution.try_lock() {
            Ok(execution) => execution,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // Out of its place meanwhile: should it panic, nobody polls it again.
        let Some(mut future) = execution.take() else { return };
        self.crew.woken.store(false, Ordering::SeqCst);
        let over = Over(self);
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            let _ = self.result.set(Some(result));
            drop(execution);
            drop(future);
            return drop(over);
        }
        *execution = Some(future);
        drop(execution);
        std::mem::forget(over);
        // Whoever was woken meanwhile found it being polled, and is woken once more. It is not polled
        // again here: one that has used up its turn wakes itself until its task has returned.
        if self.crew.woken.load(Ordering::SeqCst) {
            self.crew.wake_all();
        }
    }
}

/// Tells all that the execution is over; after a panic there is no result.
struct Over<'a, T, E>(&'a Flight<T, E>);

impl<T, E> Drop for Over<'_, T, E> {
    fn drop(&mut self) {
        let _ = self.0.result.set(None);
        self.0.crew.wake_all();
    }
}

/// One who waits for an execution; `None` comes of one that panicked.
pub(super) struct Joined<'a, K: Eq + Hash, T, E> {
    pub(super) flights: &'a Flights<K, T, E>,
    pub(super) key: K,
    pub(super) flight: Arc<Flight<T, E>>,
    pub(super) seat: usize,
}

impl<K: Eq + Hash, T: Clone, E: Clone> Future for Joined<'_, K, T, E> {
    type Output = Option<Result<T, E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let flight = &self.flight;
        if !flight.is_over() {
            flight.register(self.seat, cx.waker());
            flight.drive();
        }
        flight.result.get().map_or(Poll::Pending, |result| Poll::Ready(result.clone()))
    }
}

impl<K: Eq + Hash, T, E> Drop for Joined<'_, K, T, E> {
    fn drop(&mut self) {
        self.flights.leave(&self.key, &self.flight, self.seat);
    }
}
