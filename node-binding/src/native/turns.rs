//! When a loop began its present turn: written by the loop's thread at each, read by another.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use seawall::Instant;

/// A pair of numbers that one thread writes, and others read as a pair, without a lock (a seqlock).
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Turns {
    /// Odd while the pair is being written; half of it counts the turns.
    sequence: AtomicU64,
    at: AtomicU64,
    idle: AtomicU64,
}

/// The turn under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// Counted from 0.
    pub(super) number: u64,
    /// When it began.
    pub(super) at: Instant,
    /// For how long the loop had been idle in all until then.
    pub(super) idle: Duration,
}

impl Turns {
    /// The next turn begins. For the loop's thread alone.
    pub(super) fn begin(&self, at: Instant, idle: u64) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.at.store(at.as_nanos(), Ordering::Relaxed);
        self.idle.store(idle, Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// The turn under way. Waits for a writer for as long as a few stores take.
    pub(super) fn present(&self) -> Turn {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            let at = self.at.load(Ordering::Relaxed);
            let idle = self.idle.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                let at = Instant::from_nanos(at);
                return Turn { number: before / 2, at, idle: Duration::from_nanos(idle) };
            }
            std::hint::spin_loop();
        }
    }
}
