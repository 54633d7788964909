//! What a front has counted, and what each connection counts as at present.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What has been counted so far, and how many there are now.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) handed: AtomicU64,
    pub(crate) taken_back: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// Closed without an answer: the client was gone or made no sense, or the user's function failed.
    pub(crate) closed: AtomicU64,
    pub(crate) waiting: AtomicU64,
    pub(crate) offered: AtomicU64,
    /// About which a function of the user's is asked, or whose first bytes are waited for.
    pub(crate) asked: AtomicU64,
    pub(crate) leaving: AtomicU64,
    /// The number of the last error of `accept`, 0 for none.
    pub(crate) accept_error: AtomicU64,
    /// Connections with a worker.
    pub(crate) open: AtomicU64,
    /// Threads that still accept.
    pub(super) accepting: AtomicU64,
}

impl Counters {
    /// One more of what only grows.
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes why nobody can be accepted.
    pub(super) fn fails_to_accept(&self, error: &io::Error) {
        let number = error.raw_os_error().and_then(|number| u64::try_from(number).ok());
        self.accept_error.store(number.unwrap_or(0), Ordering::Relaxed);
    }

    /// How many wait for a worker, or for an answer of the user's function.
    pub(crate) fn undecided(&self) -> u64 {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        count(&self.waiting).saturating_add(count(&self.asked))
    }

    /// Whether nobody comes any more, and nobody waits for a worker.
    pub(super) fn is_settled(&self) -> bool {
        // Twice, since connections go back as well: to a function, and from an offer taken back.
        let gauges = [
            &self.accepting,
            &self.asked,
            &self.waiting,
            &self.offered,
            &self.waiting,
            &self.asked,
        ];
        gauges.into_iter().all(|gauge| gauge.load(Ordering::Acquire) == 0)
    }

    /// Whether nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        let gauges = [&self.waiting, &self.offered, &self.asked, &self.leaving, &self.open];
        gauges.into_iter().all(|gauge| gauge.load(Ordering::Relaxed) == 0)
    }
}

/// What an accepted connection is at present.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its first bytes are waited for, or a function of the user's is asked about it.
    Asked,
    /// It waits for a worker.
    Waiting,
    /// A worker has it, but has not taken it yet.
    Offered,
    /// A worker has taken it.
    Open,
    /// No worker was there; it is answered.
    Leaving,
}

/// Counts one connection as what it is, and as nothing once this is dropped: the counts cannot leak,
/// however a connection ends. Who ends before a worker took it, unrefused, was closed.
pub(crate) struct Staged {
    counters: Arc<Counters>,
    stage: Stage,
    settled: bool,
}

impl Staged {
    /// An accepted connection.
    pub(crate) fn new(counters: &Arc<Counters>, stage: Stage) -> Self {
        Counters::add(&counters.accepted);
        let staged = Self { counters: Arc::clone(counters), stage, settled: false };
        staged.enter(stage);
        staged
    }

    /// From now on it is something else.
    pub(crate) fn set(&mut self, stage: Stage) {
        if stage == self.stage {
            return;
        }
        // At no time is it nothing: whoever reads the counts meanwhile must not take it for settled.
        self.enter(stage);
        self.leave();
        self.stage = stage;
        if self.settled {
            return;
        }
        self.settled = true;
        match stage {
            Stage::Open => Counters::add(&self.counters.handed),
            Stage::Leaving => Counters::add(&self.counters.refused),
            _ => self.settled = false,
        }
    }

    /// It was refused without an answer, since none would be understood.
    pub(crate) fn refuse(mut self) {
        self.set(Stage::Leaving);
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    fn gauge(&self, stage: Stage) -> &AtomicU64 {
        match stage {
            Stage::Asked => &self.counters.asked,
            Stage::Waiting => &self.counters.waiting,
            Stage::Offered => &self.counters.offered,
            Stage::Open => &self.counters.open,
            Stage::Leaving => &self.counters.leaving,
        }
    }

    fn enter(&self, stage: Stage) {
        self.gauge(stage).fetch_add(1, Ordering::Relaxed);
    }

    fn leave(&self) {
        self.gauge(self.stage).fetch_sub(1, Ordering::Release);
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.settled {
            Counters::add(&self.counters.closed);
        }
        self.leave();
    }
}
