//! How long a worker takes for an answer, where the choice among them goes by that.

use std::sync::OnceLock;

use tokio::time::Instant;

use super::super::relay::{Worker, Workers};

/// From the last byte of a request to the head of its answer: neither what the client takes for its
/// body and for reading the answer, nor what it waited for somebody to ask.
pub(super) struct Timing<'a> {
    workers: &'a Workers,
    worker: &'a Worker,
    since: OnceLock<Instant>,
}

impl<'a> Timing<'a> {
    /// For one request; nothing where nobody wants to know.
    pub(super) fn new(workers: &'a Workers, worker: &'a Worker) -> Option<Self> {
        workers.timed.then(|| Self { workers, worker, since: OnceLock::new() })
    }

    /// The worker has the whole request.
    pub(super) fn asked(&self) {
        self.since.get_or_init(Instant::now);
    }

    /// Its answer begins, or is not waited for any more.
    pub(super) fn answered(&self) {
        // Answered before it had all of it, it says nothing of the worker.
        if let Some(since) = self.since.get() {
            self.workers.answered(self.worker, since.elapsed());
        }
    }
}
