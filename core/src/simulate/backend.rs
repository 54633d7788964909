//! Servers behind one queue.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::time::nanos;
use crate::{Instant, Rng};

/// How long a server is busy with a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Service {
    /// At random around this mean, without memory.
    Exponential(Duration),
    /// Always this long.
    Constant(Duration),
}

impl Service {
    /// The nanoseconds of the next call. One draw, whichever it is.
    pub(super) fn draw(self, rng: &mut Rng) -> f64 {
        let drawn = exponential(1.0, rng);
        match self {
            Self::Exponential(mean) => nanos(mean) as f64 * drawn,
            Self::Constant(time) => nanos(time) as f64,
        }
    }
}

/// An exponentially distributed number.
pub(super) fn exponential(mean: f64, rng: &mut Rng) -> f64 {
    -mean * libm::log(1.0 - rng.unit())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Job {
    pub(super) id: usize,
    pub(super) since: Instant,
    /// The phase it began in.
    pub(super) phase: usize,
}

#[derive(Debug)]
pub(super) struct Backend {
    idle: u32,
    waiting: VecDeque<(Job, Duration)>,
}

impl Backend {
    pub(super) const fn new(servers: u32) -> Self {
        Self { idle: servers, waiting: VecDeque::new() }
    }

    /// Takes a job; whether a server takes it at once.
    pub(super) fn begin(&mut self, job: Job, takes: Duration) -> bool {
        if self.idle > 0 {
            self.idle = self.idle.saturating_sub(1);
            return true;
        }
        self.waiting.push_back((job, takes));
        false
    }

    /// A server is free: the job it goes on with.
    pub(super) fn done(&mut self) -> Option<(Job, Duration)> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.idle = self.idle.saturating_add(1);
        }
        next
    }
}
