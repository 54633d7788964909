//! Calls guarded by a shared breaker: a permit that settles itself when dropped.

use alloc::sync::Arc;

use super::cell::{Block, Cell, Gate};
use super::circuit::{CircuitBreaker, Front, Want};
use super::permit::{RawPermit, Reason, Rejection, Settled};
use crate::outcome::Outcome;
use crate::sync::Ordering;
use crate::time::Instant;

/// Where a call reads the time, if it has to.
///
/// A closed breaker whose rule knows no time never does. Any `Fn() -> Instant` is a
/// clock, and so is an [`Instant`] itself.
pub trait Clock {
    /// The present.
    fn now(&self) -> Instant;
}

impl Clock for Instant {
    fn now(&self) -> Instant {
        *self
    }
}

impl<F: Fn() -> Instant> Clock for F {
    fn now(&self) -> Instant {
        self()
    }
}

/// Leave to run one call. Dropped without an outcome it counts as neutral and gives
/// its place back.
#[derive(Debug)]
#[must_use = "a permit dropped at once is a call that never ran"]
pub struct Permit<'a> {
    breaker: &'a CircuitBreaker,
    cell: Option<&'a Cell>,
    raw: RawPermit,
    started: Instant,
    open: bool,
}

impl CircuitBreaker {
    /// Leave to run a call, or why not.
    ///
    /// # Errors
    /// The [`Rejection`].
    #[inline]
    pub fn try_acquire(&self, clock: &impl Clock) -> Result<Permit<'_>, Rejection> {
        self.admit(None, clock)
    }

    /// Runs `call` if the breaker lets it, and takes `Err` as a failure.
    ///
    /// # Errors
    /// [`CallError::Rejected`] without running `call`, or [`CallError::Failed`] with its error.
    #[inline]
    pub fn call<T, E>(
        &self,
        clock: &impl Clock,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        settle(self.try_acquire(clock)?, clock, call)
    }

    /// A handle for one thread, on which counting a success is a plain store.
    #[must_use]
    pub fn handle(self: &Arc<Self>) -> Handle {
        let block = Arc::new(Block::new(1));
        self.attach(Arc::clone(&block), 0, 0);
        Handle { breaker: Arc::clone(self), block, alone: core::marker::PhantomData }
    }

    #[inline]
    fn admit<'a>(
        &'a self,
        cell: Option<&'a Cell>,
        clock: &impl Clock,
    ) -> Result<Permit<'a>, Rejection> {
        let Some(front) = self.front.as_deref() else { return self.ask(cell, None, clock) };
        let gate = front.home.gate();
        if gate.kind() != Gate::ADMIT {
            return self.ask(cell, Some(front), clock);
        }
        let started = if front.slow_limit == u64::MAX { Instant::ZERO } else { clock.now() };
        let raw = RawPermit { generation: gate.generation(), probe: 0 };
        Ok(Permit { breaker: self, cell, raw, started, open: true })
    }

    #[cold]
    fn ask<'a>(
        &'a self,
        cell: Option<&'a Cell>,
        front: Option<&Front>,
        clock: &impl Clock,
    ) -> Result<Permit<'a>, Rejection> {
        let now = clock.now();
        if let Some(Front { home, .. }) = front
            && let gate = home.gate()
            && gate.kind() == Gate::REFUSE
            && home.holds_at(now.as_millis())
        {
            home.refused.fetch_add(1, Ordering::Relaxed);
            let left = home.until_ms() - now.as_millis();
            return Err(Rejection {
                reason: Reason::Open,
                retry_after: Some(crate::time::duration_from_millis(left)),
                generation: gate.generation(),
            });
        }
        let raw = self.acquire(now)?;
        Ok(Permit { breaker: self, cell, raw, started: now, open: true })
    }
}

impl Permit<'_> {
    /// The call succeeded.
    #[inline]
    pub fn success(mut self, clock: &impl Clock) {
        let Some(front) = self.breaker.front.as_deref() else {
            return self.settle(Outcome::Success.into(), clock);
        };
        if self.raw.is_probe() || !front.home.gate().lets_all_of(self.raw.generation) {
            return self.settle(Outcome::Success.into(), clock);
        }
        if front.slow_limit != u64::MAX && self.is_slow(clock.now()) {
            return self.settle(Outcome::Success.into(), clock);
        }
        self.open = false;
        match front.want.load(Ordering::Relaxed) {
            Want::NOTHING => {}
            Want::COUNTED => self.count(front, clock),
            _ => self.tell(Outcome::Success.into(), clock.now()),
        }
    }

    /// The call failed.
    pub fn failure(self, clock: &impl Clock) {
        self.settle(Outcome::Failure.into(), clock);
    }

    /// The call ended as `settled` says; a slow-call rule measures for itself.
    pub fn settle(mut self, settled: Settled, clock: &impl Clock) {
        self.open = false;
        let now = clock.now();
        let slow = settled.slow || self.is_slow(now);
        self.tell(Settled { slow, ..settled }, now);
    }

    /// The permit without its guard: whoever takes it must [`record`](CircuitBreaker::record) it.
    #[must_use]
    pub fn into_raw(mut self) -> RawPermit {
        self.open = false;
        self.raw
    }

    fn is_slow(&self, now: Instant) -> bool {
        // Without a front every call takes the lock anyway.
        let limit = match &self.breaker.front {
            Some(front) => front.slow_limit,
            None => self.breaker.slow_limit().map_or(u64::MAX, crate::time::nanos),
        };
        limit != u64::MAX && now.since(self.started).as_nanos() > u128::from(limit)
    }

    #[inline]
    fn count(&self, front: &Front, clock: &impl Clock) {
        // Where time plays a part, `until` is the end of a slice; else it is infinite.
        if front.home.until_ms() < f64::INFINITY {
            let now = clock.now();
            if !front.home.holds_at(now.as_millis()) {
                return self.tell(Outcome::Success.into(), now);
            }
        }
        let ask = match self.cell {
            Some(cell) => cell.add_success_alone(),
            None => self.breaker.shard().is_some_and(Cell::add_success_shared),
        };
        if ask {
            self.breaker.check(clock.now());
        }
    }

    #[cold]
    fn tell(&self, settled: Settled, now: Instant) {
        self.breaker.record(self.raw, settled, now);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.open && self.raw.is_probe() {
            self.breaker.give_back(self.raw);
        }
    }
}

/// A [`CircuitBreaker`] for one thread at a time; what it counted is taken in when it is dropped.
#[derive(Debug)]
pub struct Handle {
    breaker: Arc<CircuitBreaker>,
    block: Arc<Block>,
    alone: core::marker::PhantomData<core::cell::Cell<()>>,
}

impl Handle {
    /// See [`CircuitBreaker::try_acquire`].
    ///
    /// # Errors
    /// The [`Rejection`].
    #[inline]
    pub fn try_acquire(&self, clock: &impl Clock) -> Result<Permit<'_>, Rejection> {
        self.breaker.admit(self.block.cells().first(), clock)
    }

    /// See [`CircuitBreaker::call`].
    ///
    /// # Errors
    /// [`CallError::Rejected`] without running `call`, or [`CallError::Failed`] with its error.
    #[inline]
    pub fn call<T, E>(
        &self,
        clock: &impl Clock,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        settle(self.try_acquire(clock)?, clock, call)
    }

    /// The breaker behind it.
    #[must_use]
    pub const fn breaker(&self) -> &Arc<CircuitBreaker> {
        &self.breaker
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.breaker.detach(&self.block, 0);
    }
}

#[inline]
fn settle<T, E>(
    permit: Permit<'_>,
    clock: &impl Clock,
    call: impl FnOnce() -> Result<T, E>,
) -> Result<T, CallError<E>> {
    match call() {
        Ok(value) => {
            permit.success(clock);
            Ok(value)
        }
        Err(error) => {
            permit.failure(clock);
            Err(CallError::Failed(error))
        }
    }
}

/// Why a guarded call has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError<E> {
    /// The breaker refused; the call did not run.
    Rejected(Rejection),
    /// The call ran and failed.
    Failed(E),
}

impl<E> From<Rejection> for CallError<E> {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl<E: core::fmt::Display> core::fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Failed(error) => Some(error),
        }
    }
}
