//! A breaker that any number of threads and isolates share.
//!
//! The decisions are the [`Machine`]'s, behind a lock that is taken only when
//! something happens: a failure, a refusal's end, a change of slice. A call that
//! succeeds while the breaker is closed takes no lock and, where its rule does not
//! count successes, writes nothing at all.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;
use std::sync::OnceLock;

use super::cell::{Block, Cell, Gate};
use super::config::{BreakerConfig, Mode, TripRule};
use super::explain::Explanation;
use super::machine::{Machine, State, Totals};
use super::members::{Member, Members};
#[cfg(feature = "tower")]
use super::permit::Reason;
use super::permit::{RawPermit, Rejection, Settled};
use super::snapshot::Snapshot;
use crate::options::Problem;
use crate::outcome::Outcome;
use crate::sync::{AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::time::Instant;

/// Counters for callers without a handle: more than the writers that collide often. Two are enough
/// for loom, which tries every order of every access.
const SHARDS: usize = if cfg!(loom) { 2 } else { 8 };
/// Cells between two shards, so that no two share a cache line or its neighbour.
const STRIDE: usize = 4;

/// A circuit breaker shared by reference.
#[derive(Debug)]
pub struct CircuitBreaker {
    /// What callers without a cell of their own look at; `None` where all have one.
    pub(super) front: Option<Box<Front>>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    machine: Machine,
    members: Members,
}

/// What a cell tells its caller, for callers without one.
#[derive(Debug)]
pub(super) struct Front {
    gate: AtomicU32,
    /// What a success has to do; see [`Want`].
    pub(super) want: AtomicU32,
    /// From when the gate holds, in nanoseconds: a cell's milliseconds take a division to compare.
    from: AtomicU64,
    /// Until when, `u64::MAX` where time plays no part.
    until: AtomicU64,
    /// The slow-call limit in nanoseconds, `u64::MAX` where there is none.
    slow_limit: AtomicU64,
    shards: OnceLock<Arc<Block>>,
}

impl Front {
    fn new() -> Self {
        Self {
            gate: AtomicU32::new(Gate::ASK),
            want: AtomicU32::new(Want::NOTHING),
            from: AtomicU64::new(0),
            until: AtomicU64::new(u64::MAX),
            slow_limit: AtomicU64::new(u64::MAX),
            shards: OnceLock::new(),
        }
    }

    #[inline]
    pub(super) fn gate(&self) -> Gate {
        Gate(self.gate.load(Ordering::Acquire))
    }

    /// Whether the gate holds for a while only.
    #[inline]
    pub(super) fn is_timed(&self) -> bool {
        self.until.load(Ordering::Relaxed) != u64::MAX
    }

    #[inline]
    pub(super) fn holds_at(&self, now: Instant) -> bool {
        now.as_nanos() >= self.from.load(Ordering::Relaxed) && now < self.until()
    }

    #[inline]
    pub(super) fn slow_limit(&self) -> u64 {
        self.slow_limit.load(Ordering::Relaxed)
    }

    pub(super) fn until(&self) -> Instant {
        Instant::from_nanos(self.until.load(Ordering::Relaxed))
    }

    /// The gate last, so that who sees it sees its time.
    fn publish(&self, gate: Gate, want: u32, from: Option<Instant>, until: Option<Instant>) {
        // Readings that are late would be from before the slice that has begun.
        let late = if want == Want::COUNTED { LAG } else { 0 };
        let from = from.map_or(0, Instant::as_nanos).saturating_sub(late);
        self.want.store(want, Ordering::Relaxed);
        self.from.store(from, Ordering::Relaxed);
        self.until.store(until.map_or(u64::MAX, Instant::as_nanos), Ordering::Relaxed);
        self.gate.store(gate.0, Ordering::Release);
    }
}

/// What a success means to the rule just now.
pub(super) struct Want;

impl Want {
    /// Nothing: there is nothing it could change.
    pub(super) const NOTHING: u32 = 0;
    /// It ends a streak of failures.
    pub(super) const TOLD: u32 = 1;
    /// It counts towards a rate.
    pub(super) const COUNTED: u32 = 2;
    /// The same in slices that are too short for [`Clock::lately`](super::Clock::lately).
    pub(super) const COUNTED_FINELY: u32 = 3;
}

/// By how many nanoseconds [`Clock::lately`](super::Clock::lately) may be late.
const LAG: u64 = 20_000_000;
/// How long slices are in which that does not matter.
const COARSE: Duration = Duration::from_millis(100);

impl CircuitBreaker {
    /// A closed breaker. `seed` feeds the jitter of the open duration and the spread of a re-close.
    ///
    /// # Errors
    /// The [`Problem`] of [`BreakerConfig::validate`].
    pub fn new(config: impl Into<Arc<BreakerConfig>>, seed: u64) -> Result<Self, Problem> {
        let config = config.into();
        config.validate()?;
        Ok(Self::of_valid(config, seed))
    }

    /// A breaker of options that were validated before.
    pub(super) fn of_valid(config: Arc<BreakerConfig>, seed: u64) -> Self {
        let mut breaker = Self::for_cells(config, seed);
        breaker.front = Some(Box::new(Front::new()));
        breaker.change(|_| ());
        breaker
    }

    /// A breaker of options that were validated before, for callers that all have cells; others
    /// may use it too, at the price of a lock.
    pub(crate) fn for_cells(config: Arc<BreakerConfig>, seed: u64) -> Self {
        let machine = Machine::of_valid(config, seed);
        Self { front: None, inner: Mutex::new(Inner { machine, members: Members::None }) }
    }

    /// What it does with calls deserves no memory: it is closed and held by nobody.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state() == State::Closed
    }

    /// A number that changes with every call.
    #[must_use]
    pub fn uses(&self) -> u64 {
        self.change(|inner| inner.machine.uses())
    }

    /// The options it was built with.
    #[must_use]
    pub fn config(&self) -> Arc<BreakerConfig> {
        Arc::clone(&lock(&self.inner).machine.config)
    }

    /// Above which a call is slow, where the rule asks for that.
    #[must_use]
    pub fn slow_limit(&self) -> Option<Duration> {
        lock(&self.inner).machine.config.slow_limit()
    }

    /// Makes cell `index` of `block` one of the breaker's, for a caller whose clock shows
    /// `shift` nanoseconds less than the breaker's.
    pub fn attach(&self, block: Arc<Block>, index: u32, shift: i64) {
        self.change(|inner| {
            let mut member = Member { block, index, successes: 0, refused: 0, shift };
            // The cell may have served another breaker: its counters go on from where they are.
            if let Some(cell) = member.cell() {
                let (successes, refused) =
                    (cell.successes.load(Ordering::Acquire), cell.refused.load(Ordering::Acquire));
                (member.successes, member.refused) = (successes, refused);
            }
            inner.members.push(member);
        });
    }

    /// Takes what the cell still holds and lets it go. The cell asks for everything afterwards.
    pub fn detach(&self, block: &Arc<Block>, index: u32) {
        self.change(|inner| {
            if let Some(member) = inner.members.remove(block, index)
                && let Some(cell) = member.cell()
            {
                cell.publish(Gate(Gate::ASK), 0, 0.0, 0.0);
            }
        });
    }

    /// Whether a call may run, as a value without an owner. Callers with a cell act on it
    /// first; see [`cell`](super::cell).
    ///
    /// # Errors
    /// The [`Rejection`].
    pub fn acquire(&self, now: Instant) -> Result<RawPermit, Rejection> {
        self.change(|inner| inner.machine.acquire(now))
    }

    /// Takes the end of a call.
    pub fn record(&self, permit: RawPermit, settled: Settled, now: Instant) {
        self.change(|inner| inner.machine.record(permit, settled, now));
    }

    /// Judges what the cells have counted; for callers whose cell told them to ask.
    pub fn check(&self, now: Instant) {
        self.change(|inner| inner.machine.check(now));
    }

    /// See [`Machine::reset`].
    pub fn reset(&self, now: Instant) {
        self.change(|inner| inner.machine.reset(now));
    }

    /// See [`Machine::force_open`].
    pub fn force_open(&self, now: Instant, wall_ms: f64) {
        self.change(|inner| inner.machine.force_open(now, wall_ms));
    }

    /// The refusal of an isolation that is enforced, which is yet to be counted.
    #[cfg(feature = "tower")]
    pub(super) fn isolation(&self) -> Option<Rejection> {
        let inner = lock(&self.inner);
        let machine = &inner.machine;
        (machine.state() == State::Isolated && machine.mode() == Mode::Enforce).then(|| Rejection {
            reason: Reason::Isolated,
            retry_after: None,
            generation: machine.generation(),
        })
    }

    /// See [`Machine::isolate`].
    pub fn isolate(&self, now: Instant) {
        self.change(|inner| inner.machine.isolate(now));
    }

    /// See [`Machine::release`].
    pub fn release(&self, now: Instant) {
        self.change(|inner| inner.machine.release(now));
    }

    /// Gives back the isolations of a holder that is gone.
    pub(crate) fn release_some(&self, holds: u32) {
        if holds > 0 {
            self.change(|inner| inner.machine.release_some(holds));
        }
    }

    /// See [`Machine::update`].
    ///
    /// # Errors
    /// The [`Problem`] of [`BreakerConfig::validate`]; the breaker is unchanged then.
    pub fn update(
        &self,
        config: impl Into<Arc<BreakerConfig>>,
        now: Instant,
    ) -> Result<(), Problem> {
        let config = config.into();
        config.validate()?;
        self.change(|inner| inner.machine.update(config, now));
        Ok(())
    }

    /// See [`Machine::set_mode`].
    pub fn set_mode(&self, mode: Mode, now: Instant) {
        self.change(|inner| inner.machine.set_mode(mode, now));
    }

    /// What the breaker does with calls. An open breaker stays open until a call asks.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.inner).machine.state()
    }

    /// Why it is as it is, and when that may change.
    #[must_use]
    pub fn explain(&self, now: Instant) -> Explanation {
        self.change(|inner| inner.machine.explain(now))
    }

    /// All of its state, to be restored elsewhere or later.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        self.change(|inner| inner.machine.snapshot(now))
    }

    /// Takes the state of a snapshot as if no time had passed since.
    ///
    /// # Errors
    /// The [`Problem`] of a snapshot this version cannot read.
    pub fn restore(&self, snapshot: &Snapshot, now: Instant) -> Result<(), Problem> {
        self.change(|inner| inner.machine.restore(snapshot, now))
    }

    /// Takes back a permit whose call has no outcome. That needs no newer time than the latest
    /// seen; taken under the same lock, it is not mistaken for a clock turned back.
    pub(super) fn give_back(&self, permit: RawPermit) {
        self.change(|inner| {
            let latest = inner.machine.line.raw(inner.machine.line.now());
            inner.machine.record(permit, Outcome::Neutral.into(), latest);
        });
    }

    /// The counter of this thread, for callers without a handle.
    pub(super) fn shard(&self) -> Option<&Cell> {
        let block = self.front.as_ref()?.shards.get_or_init(|| {
            let block = Arc::new(Block::new(SHARDS * STRIDE));
            for shard in 0..SHARDS {
                let index = u32::try_from(shard.saturating_mul(STRIDE)).unwrap_or(0);
                self.attach(Arc::clone(&block), index, 0);
            }
            block
        });
        block.cells().get(thread_shard())
    }

    /// Takes in what the cells counted, lets the machine act, and tells the cells.
    fn change<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.begin();
        let answer = act(&mut inner);
        self.end(inner);
        answer
    }

    #[cfg_attr(target_family = "wasm", inline(never))]
    fn begin(&self) -> MutexGuard<'_, Inner> {
        let mut inner = lock(&self.inner);
        inner.fold();
        inner
    }

    #[cfg_attr(target_family = "wasm", inline(never))]
    fn end(&self, inner: MutexGuard<'_, Inner>) {
        let Inner { machine, members } = &*inner;
        let gate = machine.gate();
        let (from, until) = machine.gate_times(gate);
        let share = machine.ask_after().map(|left| {
            // Together they cannot reach the count before one of them has reached its share.
            left.div_ceil(u32::try_from(members.as_slice().len()).unwrap_or(u32::MAX).max(1))
        });
        for member in members.as_slice() {
            let Some(cell) = member.cell() else { continue };
            let shift = member.shift as f64 / 1e6;
            let ask_at = member.successes.wrapping_add(share.unwrap_or((1 << 31) - 1));
            let from = from.map_or(f64::NEG_INFINITY, Instant::as_millis) - shift;
            let until = until.map_or(f64::INFINITY, Instant::as_millis) - shift;
            cell.publish(gate, ask_at, from, until);
        }
        if let Some(front) = &self.front {
            let slow = machine.config.slow_limit().map_or(u64::MAX, crate::time::nanos);
            front.slow_limit.store(slow, Ordering::Relaxed);
            front.publish(gate, machine.want(), from, until);
        }
    }
}

impl Inner {
    fn fold(&mut self) {
        for member in self.members.as_mut_slice() {
            let Some(cell) = member.block.cells().get(member.index as usize) else { continue };
            let successes = cell.successes.load(Ordering::Relaxed);
            let refused = cell.refused.load(Ordering::Relaxed);
            self.machine.fold(successes.wrapping_sub(member.successes));
            self.machine.fold_rejected(refused.wrapping_sub(member.refused));
            (member.successes, member.refused) = (successes, refused);
        }
    }
}

impl Machine {
    fn gate(&self) -> Gate {
        let kind = match self.state() {
            State::Closed => Gate::ADMIT,
            _ if self.mode() == Mode::Disabled => Gate::ADMIT,
            State::Open if self.mode() == Mode::Enforce => Gate::REFUSE,
            _ => Gate::ASK,
        };
        Gate::new(kind, self.state(), self.generation())
    }

    /// From when to when the gate holds on the breaker's clock; `None` without such a limit.
    fn gate_times(&self, gate: Gate) -> (Option<Instant>, Option<Instant>) {
        if gate.kind() == Gate::ADMIT {
            return self.slice().unzip();
        }
        (Some(self.line.raw(self.since)), self.poll_timeout())
    }

    /// A number that changes with every call.
    fn uses(&self) -> u64 {
        let Totals { failures, neutral, rejected, .. } = self.history().totals;
        self.successes.wrapping_add(failures).wrapping_add(neutral).wrapping_add(rejected)
    }

    fn want(&self) -> u32 {
        match self.config.trip {
            _ if self.mode() == Mode::Disabled || !self.is_closed() => Want::NOTHING,
            TripRule::Rate(_) => match self.slice() {
                Some((from, until)) if until.since(from) < COARSE => Want::COUNTED_FINELY,
                _ => Want::COUNTED,
            },
            TripRule::Consecutive(_) if self.failures() > 0 => Want::TOLD,
            _ => Want::NOTHING,
        }
    }
}

fn thread_shard() -> usize {
    use core::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    std::thread_local! {
        static MINE: usize = (NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS).wrapping_mul(STRIDE);
    }
    MINE.try_with(|mine| *mine).unwrap_or(0)
}
