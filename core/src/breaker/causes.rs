//! The recent causes of failure: a few, with how often and when last.

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::Instant;

const KEPT: usize = 6;

/// One cause of failure since the breaker last closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecentCause {
    /// The caller's number for it.
    pub(crate) cause: u32,
    /// How often it was seen while it was among the recent ones.
    pub(crate) count: u32,
    /// When it was last seen.
    pub(crate) last: Instant,
}

/// The few causes seen last; a new one takes the place of the one unseen for longest.
#[derive(Debug, Clone)]
pub(crate) struct Causes(Vec<RecentCause>);

impl Causes {
    pub(crate) const NONE: Self = Self(Vec::new());

    pub(crate) fn note(&mut self, cause: u32, now: Instant) {
        if cause == 0 {
            return;
        }
        if let Some(known) = self.0.iter_mut().find(|known| known.cause == cause) {
            known.count = known.count.saturating_add(1);
            known.last = now;
            return;
        }
        let new = RecentCause { cause, count: 1, last: now };
        if self.0.len() < KEPT {
            self.0.push(new);
        } else if let Some(oldest) = self.0.iter_mut().min_by_key(|known| known.last) {
            *oldest = new;
        }
    }

    /// The causes with how often and how long ago, the one seen last first.
    pub(crate) fn newest_first(&self, now: Instant) -> Vec<(u32, u32, Duration)> {
        let mut causes: Vec<(u32, u32, Duration)> = Vec::new();
        for cause in &self.0 {
            let ago = now.since(cause.last);
            // A library sort would be the larger part of the whole module in WASM.
            let place = causes.iter().position(|other| other.2 > ago);
            causes.insert(place.unwrap_or(causes.len()), (cause.cause, cause.count, ago));
        }
        causes
    }

    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}
