//! One worker: what it says of itself, and what the balancer remembers of it.

use core::time::Duration;

use crate::Instant;
use crate::time::nanos;

/// What is known of a worker at the instant of a choice.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Whether it takes connections.
    pub ready: bool,
    /// Connections it has.
    pub connections: u32,
    /// Requests under way on them.
    pub in_flight: u32,
    /// Hand-overs, each of one connection or of several, that it has not answered yet.
    pub unanswered: u32,
    /// For how many milliseconds its event loop has not turned.
    pub block_ms: f64,
    /// How much it can still bear: 0 all is well, 1 nothing more.
    pub pressure: f64,
    /// Its use of processors, 100 for one.
    pub cpu_percent: f64,
    /// The part of its heap that is in use, 0 to 1.
    pub heap: f64,
}

impl Load {
    /// Whether its event loop turns, or has for the last so many milliseconds.
    pub(crate) fn turns(&self, stuck_ms: f64) -> bool {
        self.block_ms <= stuck_ms
    }
}

/// With how much of its share a worker begins.
const FIRST_SHARE: f64 = 0.1;

/// What is remembered of a worker.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Worker {
    ready_at: Option<Instant>,
    failures: u32,
    ejections: u32,
    ejected_until: Option<Instant>,
    /// In ms; at once up to a peak, down again over time.
    latency: f64,
    latency_at: Instant,
}

impl Worker {
    pub(super) fn ready_at(now: Instant) -> Self {
        Self { ready_at: Some(now), ..Self::default() }
    }

    pub(super) fn failed(&mut self, now: Instant, after: u32, base: Duration) {
        // What was begun before it was left out says nothing new.
        if self.ejected_until(now).is_some() {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if after == 0 || self.failures < after {
            return;
        }
        self.failures = 0;
        self.ejections = self.ejections.saturating_add(1);
        let long = Duration::from_nanos(nanos(base).saturating_mul(u64::from(self.ejections)));
        self.ejected_until = Some(now.after(long));
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        if self.ejected_until.is_none() {
            self.ejections = 0;
        }
        self.ejected_until = None;
    }

    pub(super) fn ejected_until(&self, now: Instant) -> Option<Instant> {
        self.ejected_until.filter(|until| *until > now)
    }

    pub(super) fn share(&self, now: Instant, slow_start: Duration) -> f64 {
        let (Some(ready_at), false) = (self.ready_at, slow_start.is_zero()) else { return 1.0 };
        let part = now.since(ready_at).as_secs_f64() / slow_start.as_secs_f64();
        (FIRST_SHARE + (1.0 - FIRST_SHARE) * part).min(1.0)
    }

    pub(super) fn answered(&mut self, latency: Duration, now: Instant, decay: Duration) {
        let sample = latency.as_secs_f64() * 1e3;
        let current = self.latency(now, decay);
        let kept = keep(now.since(self.latency_at), decay);
        self.latency =
            if sample >= current { sample } else { sample + (self.latency - sample) * kept };
        self.latency_at = now;
    }

    /// Falls while nothing is heard of it, so that a worker that was slow once is tried again.
    pub(super) fn latency(&self, now: Instant, decay: Duration) -> f64 {
        self.latency * keep(now.since(self.latency_at), decay)
    }
}

/// Which part of an average is left after `passed`.
fn keep(passed: Duration, decay: Duration) -> f64 {
    if decay.is_zero() {
        return 0.0;
    }
    libm::exp(-(passed.as_secs_f64() / decay.as_secs_f64()))
}
