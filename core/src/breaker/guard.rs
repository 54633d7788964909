//! Calls guarded by a shared breaker: a permit that settles itself when dropped.

use alloc::sync::Arc;

use super::cell::{Block, Cell, Gate};
use super::circuit::{CircuitBreaker, Front, Want};
use super::permit::{RawPermit, Reason, Rejection, Settled};
use crate::outcome::Outcome;
use crate::sync::Ordering;
use crate::time::Instant;

/// When a call began whose time nobody measured: it has taken none, should a limit come meanwhile.
const UNMEASURED: Instant = Instant::from_nanos(u64::MAX);

/// Where a call reads the time, if it has to.
///
/// A closed breaker whose rule knows no time never does. Any `Fn() -> Instant` is a
/// clock, and so is an [`Instant`] itself.
pub trait Clock {
    /// The present.
    fn now(&self) -> Instant;

    /// The present or a little before it, where that costs less to read: by 20 ms at most as a rule,
    /// and never later than [`now`](Self::now) would have been. Successes are counted by it in
    /// slices of a tenth of a second and more; all else goes by `now`. Default: `now`.
    #[inline]
    fn lately(&self) -> Instant {
        self.now()
    }
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
        self.run(None, clock, call)
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
        let Some((front, raw)) = self.let_through() else { return self.ask(cell, clock) };
        let started = if front.slow_limit() == u64::MAX { UNMEASURED } else { clock.now() };
        Ok(Permit { breaker: self, cell, raw, started })
    }

    #[inline]
    fn run<T, E>(
        &self,
        cell: Option<&Cell>,
        clock: &impl Clock,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        // With nothing to measure, and nothing to give back should the call panic, there is no
        // need of a guard. Built and read back, one costs three times as much as all the rest.
        if let Some((front, raw)) = self.let_through()
            && front.slow_limit() == u64::MAX
        {
            return match call() {
                Ok(value) => {
                    self.succeeded(front, cell, raw, clock);
                    Ok(value)
                }
                Err(error) => {
                    self.tell(raw, Outcome::Failure, clock);
                    Err(CallError::Failed(error))
                }
            };
        }
        self.run_guarded(cell, clock, call)
    }

    #[inline(never)]
    fn run_guarded<T, E>(
        &self,
        cell: Option<&Cell>,
        clock: &impl Clock,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        let permit = self.admit(cell, clock)?;
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

    /// The permit of a gate that lets all calls through.
    #[inline]
    fn let_through(&self) -> Option<(&Front, RawPermit)> {
        let front = self.front.as_deref()?;
        let gate = front.gate();
        let raw = RawPermit { generation: gate.generation(), probe: 0 };
        (gate.kind() == Gate::ADMIT).then_some((front, raw))
    }

    #[cold]
    #[inline(never)]
    fn ask<'a>(
        &'a self,
        cell: Option<&'a Cell>,
        clock: &impl Clock,
    ) -> Result<Permit<'a>, Rejection> {
        let now = clock.now();
        if let Some(rejection) = self.refusal_at(now) {
            match cell {
                Some(cell) => cell.add_refused_alone(),
                None => self.count_refusal(),
            }
            return Err(rejection);
        }
        let raw = self.acquire(now)?;
        Ok(Permit { breaker: self, cell, raw, started: now })
    }

    /// The refusal of a gate that refuses all calls, which is yet to be counted.
    fn refusal_at(&self, now: Instant) -> Option<Rejection> {
        let front = self.front.as_deref()?;
        let gate = front.gate();
        (gate.kind() == Gate::REFUSE && front.holds_at(now)).then(|| Rejection {
            reason: Reason::Open,
            retry_after: Some(front.until().since(now)),
            generation: gate.generation(),
        })
    }

    fn count_refusal(&self) {
        if let Some(shard) = self.shard() {
            shard.add_refused_shared();
        }
    }

    /// Takes the success of a call that was let through without asking and was not slow; whether it
    /// may have changed more than a count, such as been the one that a rate was waiting for.
    #[inline]
    fn succeeded(
        &self,
        front: &Front,
        cell: Option<&Cell>,
        raw: RawPermit,
        clock: &impl Clock,
    ) -> bool {
        if !front.gate().lets_all_of(raw.generation) {
            return self.tell_success(raw, clock);
        }
        match front.want.load(Ordering::Relaxed) {
            Want::NOTHING => false,
            Want::COUNTED => self.count(front, cell, raw, clock, Clock::lately),
            Want::COUNTED_FINELY => self.count_finely(front, cell, raw, clock),
            _ => self.tell_success(raw, clock),
        }
    }

    #[inline(never)]
    fn count_finely(
        &self,
        front: &Front,
        cell: Option<&Cell>,
        raw: RawPermit,
        clock: &impl Clock,
    ) -> bool {
        self.count(front, cell, raw, clock, Clock::now)
    }

    #[inline]
    fn count<C: Clock>(
        &self,
        front: &Front,
        cell: Option<&Cell>,
        raw: RawPermit,
        clock: &C,
        read: fn(&C) -> Instant,
    ) -> bool {
        if front.is_timed() && !front.holds_at(read(clock)) {
            return self.tell_success(raw, clock);
        }
        let ask = match cell {
            Some(cell) => cell.add_success_alone(),
            None => self.shard().is_some_and(Cell::add_success_shared),
        };
        if ask {
            self.check(clock.now());
        }
        ask
    }

    #[inline]
    fn tell_success(&self, raw: RawPermit, clock: &impl Clock) -> bool {
        self.tell(raw, Outcome::Success, clock);
        true
    }

    #[cold]
    #[inline(never)]
    fn tell(&self, raw: RawPermit, outcome: Outcome, clock: &impl Clock) {
        self.record(raw, outcome.into(), clock.now());
    }
}

impl Permit<'_> {
    /// The call succeeded.
    #[inline]
    pub fn success(self, clock: &impl Clock) {
        match self.breaker.front.as_deref() {
            Some(front) if !self.raw.is_probe() && !self.is_slow_by(front, clock) => {
                let (breaker, cell, raw) = (self.breaker, self.cell, self.raw);
                core::mem::forget(self);
                breaker.succeeded(front, cell, raw, clock);
            }
            // If it was slow it is measured again, and slow then.
            _ => self.settle(Outcome::Success.into(), clock),
        }
    }

    /// The call failed.
    pub fn failure(self, clock: &impl Clock) {
        self.settle(Outcome::Failure.into(), clock);
    }

    /// The call ended as `settled` says; a slow-call rule measures for itself.
    pub fn settle(self, settled: Settled, clock: &impl Clock) {
        let now = clock.now();
        let limit = match &self.breaker.front {
            Some(front) => front.slow_limit(),
            None => self.breaker.slow_limit().map_or(u64::MAX, crate::time::nanos),
        };
        let slow = settled.slow || self.lasted_past(limit, now);
        self.breaker.record(self.into_raw(), Settled { slow, ..settled }, now);
    }

    /// The permit without its guard: whoever takes it must [`record`](CircuitBreaker::record) it.
    #[must_use]
    pub fn into_raw(self) -> RawPermit {
        let raw = self.raw;
        core::mem::forget(self);
        raw
    }

    /// The permit without its guard and borrow, for a future that holds the breaker itself:
    /// [`CircuitBreaker::resume`] makes it a permit again.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(crate) fn pause(self) -> Paused {
        let paused = Paused { raw: self.raw, started: self.started };
        core::mem::forget(self);
        paused
    }

    #[inline]
    fn is_slow_by(&self, front: &Front, clock: &impl Clock) -> bool {
        front.slow_limit() != u64::MAX && self.lasted_past(front.slow_limit(), clock.now())
    }

    fn lasted_past(&self, limit: u64, now: Instant) -> bool {
        limit != u64::MAX && now.since(self.started).as_nanos() > u128::from(limit)
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.raw.is_probe() {
            self.breaker.give_back(self.raw);
        }
    }
}

/// Refusals that are known before there is a call.
#[cfg(feature = "tower")]
impl CircuitBreaker {
    /// Whether its gate refuses all calls, for as long as it holds, or somebody isolates it.
    #[inline]
    pub(crate) fn refuses(&self) -> bool {
        self.front.as_deref().is_some_and(|front| {
            let gate = front.gate();
            gate.kind() == Gate::REFUSE || gate.is_isolated()
        })
    }

    /// What a call would be told now, where that takes no more than a look, or the breaker is isolated.
    pub(crate) fn refusal(&self, clock: &impl Clock) -> Option<Rejection> {
        if !self.refuses() {
            return None;
        }
        self.isolation().or_else(|| self.refusal_at(clock.now()))
    }

    /// A call was told so.
    pub(crate) fn refused(&self) {
        self.count_refusal();
    }
}

/// What a [`Permit`] is made of beside its breaker.
#[cfg(feature = "tokio")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paused {
    raw: RawPermit,
    started: Instant,
}

/// What has come of a success.
#[cfg(feature = "tokio")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// It was counted.
    Counted,
    /// The breaker was told, and may be open now.
    Told,
    /// Nothing: it takes more than this.
    Not,
}

#[cfg(feature = "tokio")]
impl CircuitBreaker {
    /// The permit of a call that may run without further thought: the gate is open, nothing is
    /// measured, and there is nothing to give back.
    #[inline]
    pub(crate) fn pass(&self) -> Option<Paused> {
        let (front, raw) = self.let_through()?;
        (front.slow_limit() == u64::MAX).then_some(Paused { raw, started: UNMEASURED })
    }

    /// Whether its gate lets all calls through.
    pub(crate) fn admits(&self) -> bool {
        self.let_through().is_some()
    }

    /// Takes the success of such a call.
    #[inline]
    pub(crate) fn passed(&self, paused: Paused, clock: &impl Clock) -> Passed {
        match self.front.as_deref() {
            Some(front) if !paused.is_probe() && front.slow_limit() == u64::MAX => {
                if self.succeeded(front, None, paused.raw, clock) {
                    Passed::Told
                } else {
                    Passed::Counted
                }
            }
            _ => Passed::Not,
        }
    }

    /// The permit that was paused; once, or a call ends twice.
    #[inline]
    pub(crate) const fn resume(&self, paused: Paused) -> Permit<'_> {
        Permit { breaker: self, cell: None, raw: paused.raw, started: paused.started }
    }
}

#[cfg(feature = "tokio")]
impl Paused {
    /// Whether its end changes more than a count.
    pub(crate) const fn is_probe(self) -> bool {
        self.raw.is_probe()
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
        self.breaker.run(self.block.cells().first(), clock, call)
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
