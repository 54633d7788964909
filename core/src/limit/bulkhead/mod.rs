//! How many calls run at once, and how many wait for a place.
//!
//! **Why.** When the other side slows down, calls pile up: each holds memory, a socket, a place in
//! a pool, until there is nothing left for calls that have no part in it.
//!
//! - A place belongs to a call until its function has ended. A timeout that gives up on a call does
//!   not end it; opossum frees the place then, and was seen to run 20 calls at a capacity of 2.
//! - Who waits is served in the order of coming. A newcomer never overtakes: while anybody waits,
//!   nobody begins without having waited.
//! - A call that is cancelled leaves the queue at once, in constant time, wherever it stands.
//! - How long a call may wait is the same for all, so that the first in the queue is the first to
//!   expire; one timer is enough, and none while nobody waits. Who has expired is never let in,
//!   however late the timer.
//! - Limits change while it runs ([`Bulkhead::update`]); what runs and waits stays.
//!
//! With [`Priorities`], calls are turned away by their level from two thirds of the queue on: the
//! default queue is three times the limit, so that this is from twice the limit on, as in
//! failsafe-go. The order of those let into the queue stays that of coming.
//!
//! A caller for whom asking costs more than the answer is worth may begin calls by itself while
//! fewer run than [`Bulkhead::may_run`] said last: the limit while nobody waits, else 0. It counts
//! its calls and tells the count ([`Bulkhead::set_running`]) whenever it asks. JavaScript does so,
//! which runs on one thread with the engine: nothing changes between the answer and its use, so two
//! plain numbers do what the breaker's cell does between threads, and cost less.
//!
//! ```
//! use core::time::Duration;
//! use seawall::Instant;
//! use seawall::limit::bulkhead::{Bulkhead, BulkheadConfig, Entry, Next, Refusal};
//!
//! let mut config = BulkheadConfig::new(1);
//! config.max_queue = 1;
//! config.queue_timeout = Some(Duration::from_millis(50));
//! let mut bulkhead = Bulkhead::new(config)?;
//! let now = Instant::from_millis(1_000.0);
//!
//! assert_eq!(bulkhead.enter(now), Ok(Entry::Admitted));
//! let Ok(Entry::Queued(waiter)) = bulkhead.enter(now) else { unreachable!() };
//! assert_eq!(bulkhead.enter(now), Err(Refusal::Full));
//! assert_eq!(bulkhead.due(), Some(Instant::from_millis(1_050.0)));
//!
//! bulkhead.leave();
//! assert_eq!(bulkhead.next(now), Some(Next::Admitted(waiter)));
//! assert_eq!(bulkhead.next(now), None);
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod code;
mod options;
mod queue;

use alloc::vec::Vec;
use core::time::Duration;

pub use options::BulkheadOptions;
use queue::Queue;
pub use queue::Waiter;

use super::priority::{Ask, Priorities, Verdict, shed_rate};
use crate::Instant;
use crate::fields::Checks;
use crate::numbers::{put, put_count, put_time};
use crate::options::{Problem, Rule};

/// The most that may run at once: what a door can tell in one number.
pub const MOST_CONCURRENT: u32 = (1 << 30) - 1;
/// The most that may wait.
pub const MOST_QUEUED: u32 = 1 << 20;

/// What a [`Bulkhead`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkheadConfig {
    /// Calls that may run at once, from 1 to [`MOST_CONCURRENT`].
    pub max_concurrent: u32,
    /// Calls that may wait, up to [`MOST_QUEUED`]. Default 0: a call runs at once or not at all.
    pub max_queue: u32,
    /// How long a call may wait, above zero. Default without end.
    pub queue_timeout: Option<Duration>,
}

impl BulkheadConfig {
    /// That many calls at once, without a queue.
    #[must_use]
    pub const fn new(max_concurrent: u32) -> Self {
        Self { max_concurrent, max_queue: 0, queue_timeout: None }
    }

    pub(crate) fn check(&self, checks: &mut Checks) {
        checks.up_to("maxConcurrent", self.max_concurrent, MOST_CONCURRENT);
        let most = f64::from(MOST_QUEUED);
        checks.limit(self.max_queue <= MOST_QUEUED, "maxQueue", Rule::AtMost, most);
        checks.above_zero("queueTimeoutMs", self.queue_timeout.unwrap_or(Duration::MAX));
    }
}

/// How a call gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It begins now.
    Admitted,
    /// It waits until [`Bulkhead::next`] names it.
    Queued(Waiter),
}

/// Why a call does not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// All places are taken, those in the queue too.
    Full,
    /// The queue fills, and others are more important.
    Priority(Verdict),
}

/// What becomes of a call that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It begins now.
    Admitted(Waiter),
    /// It has waited too long.
    Expired(Waiter),
}

/// What became of calls, ever. Those that began by themselves are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Had to wait.
    pub queued: u64,
    /// Waited and were let in.
    pub admitted: u64,
    /// Turned away because all was full.
    pub full: u64,
    /// Turned away by priority.
    pub shed: u64,
    /// Waited too long.
    pub expired: u64,
    /// Cancelled while they waited.
    pub cancelled: u64,
}

/// What a call would hear that came now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outlook {
    /// It would begin.
    Admit = 0,
    /// It would wait.
    Queue = 1,
    /// It would be turned away.
    Refuse = 2,
}

/// A bulkhead as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Its limits.
    pub config: BulkheadConfig,
    /// Calls that run.
    pub running: u32,
    /// Calls that wait.
    pub queued: u32,
    /// What [`Bulkhead::may_run`] says.
    pub may_run: u32,
    /// What a call without a priority would hear.
    pub outlook: Outlook,
    /// How long the first in the queue has waited.
    pub oldest_wait: Option<Duration>,
    /// In how long it has waited too long.
    pub expires_in: Option<Duration>,
    /// What became of calls.
    pub totals: Totals,
}

impl Explanation {
    /// Its fields in order, for doors that pass numbers; times in ms, -1 for none.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        let mut numbers = Vec::new();
        for count in [self.config.max_concurrent, self.config.max_queue] {
            put_count(&mut numbers, count);
        }
        put_time(&mut numbers, self.config.queue_timeout);
        for count in [self.running, self.queued, self.may_run, u32::from(self.outlook as u8)] {
            put_count(&mut numbers, count);
        }
        put_time(&mut numbers, self.oldest_wait);
        put_time(&mut numbers, self.expires_in);
        let Totals { queued, admitted, full, shed, expired, cancelled } = self.totals;
        for total in [queued, admitted, full, shed, expired, cancelled] {
            put(&mut numbers, total as f64);
        }
        numbers
    }
}

/// Places for calls, and a queue before them; see the [module](self).
#[derive(Debug, Clone)]
pub struct Bulkhead {
    config: BulkheadConfig,
    running: u32,
    queue: Queue,
    /// The latest time heard of: no call waits since a time before that of the one in front of it.
    latest: Instant,
    totals: Totals,
}

impl Bulkhead {
    /// An empty bulkhead.
    ///
    /// # Errors
    ///
    /// The first number that is out of range.
    pub fn new(config: BulkheadConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(Self::of(config))
    }

    /// The same of numbers that have been checked.
    #[doc(hidden)]
    #[must_use]
    pub const fn of(config: BulkheadConfig) -> Self {
        let latest = Instant::ZERO;
        let totals = Totals { queued: 0, admitted: 0, full: 0, shed: 0, expired: 0, cancelled: 0 };
        Self { config, running: 0, queue: Queue::new(), latest, totals }
    }

    /// Lets a call begin, or queues it. Those whose time in the queue is over keep their places
    /// there until [`next`](Self::next) has named them.
    ///
    /// # Errors
    ///
    /// [`Refusal::Full`].
    pub fn enter(&mut self, now: Instant) -> Result<Entry, Refusal> {
        self.begin(now, None)
    }

    /// The same for a call with a priority, as `priorities` see it.
    ///
    /// # Errors
    ///
    /// Why it is turned away.
    pub fn enter_ranked(
        &mut self,
        now: Instant,
        priorities: &mut Priorities,
        ask: &Ask<'_>,
    ) -> Result<Entry, Refusal> {
        self.begin(now, Some((priorities, ask)))
    }

    #[inline(never)]
    fn begin(
        &mut self,
        now: Instant,
        ranked: Option<(&mut Priorities, &Ask<'_>)>,
    ) -> Result<Entry, Refusal> {
        if self.running < self.may_run() {
            self.running = self.running.saturating_add(1);
            return Ok(Entry::Admitted);
        }
        let (queued, full) = (self.queue.len(), self.config.max_queue);
        let from = full.saturating_mul(2) / 3;
        let verdict =
            ranked.map(|(priorities, ask)| priorities.judge(ask, shed_rate(queued, from, full)));
        if queued >= full {
            self.totals.full = self.totals.full.saturating_add(1);
            return Err(Refusal::Full);
        }
        if let Some(verdict) = verdict
            && !verdict.admitted
        {
            self.totals.shed = self.totals.shed.saturating_add(1);
            return Err(Refusal::Priority(verdict));
        }
        self.latest = self.latest.max(now);
        self.totals.queued = self.totals.queued.saturating_add(1);
        Ok(Entry::Queued(self.queue.push(self.latest)))
    }

    /// A call has really ended; its place is free. Ask [`next`](Self::next) for whom.
    pub const fn leave(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Takes a call out of the queue; false if it does not wait any more.
    pub fn cancel(&mut self, waiter: Waiter) -> bool {
        let waited = self.queue.remove(waiter);
        self.totals.cancelled = self.totals.cancelled.saturating_add(u64::from(waited));
        waited
    }

    /// Who leaves the queue now, one at a time: call it until it answers `None`, after
    /// [`leave`](Self::leave), after [`update`](Self::update) and at [`due`](Self::due).
    pub fn next(&mut self, now: Instant) -> Option<Next> {
        let next = self.peek(now)?;
        let total = match next {
            Next::Admitted(waiter) => {
                self.queue.remove(waiter);
                self.running = self.running.saturating_add(1);
                &mut self.totals.admitted
            }
            Next::Expired(waiter) => {
                self.queue.remove(waiter);
                &mut self.totals.expired
            }
        };
        *total = total.saturating_add(1);
        Some(next)
    }

    /// What [`next`](Self::next) would answer.
    #[must_use]
    pub fn peek(&self, now: Instant) -> Option<Next> {
        let (waiter, since) = self.queue.first()?;
        if let Some(timeout) = self.config.queue_timeout
            && now.max(self.latest) >= since.after(timeout)
        {
            return Some(Next::Expired(waiter));
        }
        (self.running < self.config.max_concurrent).then_some(Next::Admitted(waiter))
    }

    /// When the first in the queue has waited too long; `None` if nobody waits or may wait for ever.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        Some(self.queue.first()?.1.after(self.config.queue_timeout?))
    }

    /// How long a call may wait that has `left` until its own deadline, where it is the queue that ends
    /// its wait; `None` where the deadline comes first, or at the same time. For who can keep no timer
    /// for the whole queue, but one for each call.
    #[must_use]
    pub fn patience(&self, left: Duration) -> Option<Duration> {
        self.config.queue_timeout.filter(|timeout| *timeout < left)
    }

    /// Other limits from now on. What runs goes on, who waits keeps the place, also where there
    /// are more than the new limits allow; a new time to wait holds for those who wait too.
    ///
    /// # Errors
    ///
    /// The first number that is out of range; nothing has changed then.
    pub fn update(&mut self, config: BulkheadConfig) -> Result<(), Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(())?;
        self.config = config;
        Ok(())
    }

    /// The same of numbers that have been checked.
    #[doc(hidden)]
    pub const fn set(&mut self, config: BulkheadConfig) {
        self.config = config;
    }

    /// Below how many calls under way the next may begin without asking: the limit, or 0 while
    /// somebody waits.
    #[must_use]
    pub const fn may_run(&self) -> u32 {
        if self.queue.len() == 0 { self.config.max_concurrent } else { 0 }
    }

    /// Takes the count of a caller that begins and ends calls by itself.
    pub const fn set_running(&mut self, running: u32) {
        self.running = running;
    }

    /// Calls that run.
    #[must_use]
    pub const fn running(&self) -> u32 {
        self.running
    }

    /// Calls that wait.
    #[must_use]
    pub const fn queued(&self) -> u32 {
        self.queue.len()
    }

    /// The bulkhead as it stands.
    #[must_use]
    pub fn explain(&self, now: Instant) -> Explanation {
        let now = now.max(self.latest);
        let outlook = if self.running < self.may_run() {
            Outlook::Admit
        } else if self.queue.len() < self.config.max_queue {
            Outlook::Queue
        } else {
            Outlook::Refuse
        };
        Explanation {
            config: self.config,
            running: self.running,
            queued: self.queue.len(),
            may_run: self.may_run(),
            outlook,
            oldest_wait: self.queue.first().map(|(_, since)| now.since(since)),
            expires_in: self.due().map(|due| due.since(now)),
            totals: self.totals,
        }
    }
}
