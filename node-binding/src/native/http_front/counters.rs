//! What a front of requests has counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has been counted so far, and how many there are now.
#[derive(Default)]
pub(super) struct HttpCounters {
    /// Requests whose head was read.
    pub(super) requests: AtomicU64,
    /// Of them, those a worker answered.
    pub(super) answered: AtomicU64,
    /// Requests sent again.
    pub(super) retried: AtomicU64,
    /// Requests refused because every worker was full.
    pub(super) shed: AtomicU64,
    /// Requests refused because none was ready in time.
    pub(super) unavailable: AtomicU64,
    /// Requests whose worker went away or took too long.
    pub(super) failed: AtomicU64,
    /// What could not be read.
    pub(super) malformed: AtomicU64,
    /// Heads and bodies that took too long.
    pub(super) late: AtomicU64,
    /// Requests whose client went away before the whole answer.
    pub(super) aborted: AtomicU64,
    /// Connections that became something else than HTTP/1.
    pub(super) tunnels: AtomicU64,
    /// Requests under way.
    pub(super) in_flight: AtomicU64,
    /// Connections to workers.
    pub(super) links: AtomicU64,
    /// Of them, those without a request.
    pub(super) idle: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl HttpCounters {
    /// In the order of the package's `HTTP_COUNTS`.
    pub(super) fn numbers(&self) -> Vec<f64> {
        let Self {
            requests,
            answered,
            retried,
            shed,
            unavailable,
            failed,
            malformed,
            late,
            aborted,
            tunnels,
            in_flight,
            links,
            idle,
        } = self;
        [
            requests,
            answered,
            retried,
            shed,
            unavailable,
            failed,
            malformed,
            late,
            aborted,
            tunnels,
            in_flight,
            links,
            idle,
        ]
        .into_iter()
        .map(|count| count.load(Ordering::Relaxed) as f64)
        .collect()
    }
}

/// Counts one as under way for as long as it lives.
pub(super) struct UnderWay<'a>(&'a AtomicU64);

impl<'a> UnderWay<'a> {
    pub(super) fn new(gauge: &'a AtomicU64) -> Self {
        add(gauge);
        Self(gauge)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
