//! A run of waits as an iterator.

use core::iter::FusedIterator;
use core::time::Duration;

use super::Backoff;
use crate::Rng;

/// The waits of one run; made by [`Backoff::delays`]. Ends when the schedule
/// gives up.
#[derive(Debug, Clone)]
pub struct Delays<'a> {
    backoff: &'a Backoff,
    rng: Rng,
    failed: u32,
    previous: Duration,
    elapsed: Duration,
    over: bool,
}

impl<'a> Delays<'a> {
    pub(super) const fn new(backoff: &'a Backoff, rng: Rng) -> Self {
        let zero = Duration::ZERO;
        Self { backoff, rng, failed: 0, previous: zero, elapsed: zero, over: false }
    }
}

impl Iterator for Delays<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.over {
            return None;
        }
        self.failed = self.failed.saturating_add(1);
        let wait =
            self.backoff.delay_within(self.failed, self.previous, self.elapsed, &mut self.rng);
        match wait {
            Some(wait) => {
                self.previous = wait;
                self.elapsed = self.elapsed.saturating_add(wait);
            }
            None => self.over = true,
        }
        wait
    }
}

impl FusedIterator for Delays<'_> {}
