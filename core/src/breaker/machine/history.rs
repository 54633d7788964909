//! What a breaker remembers beside what its rule counts.

use core::time::Duration;

use crate::breaker::causes::Causes;
use crate::breaker::trip::Cause;
use crate::breaker::window::Counts;
use crate::time::Instant;

/// Calls seen since construction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls that were neither.
    pub neutral: u64,
    /// Calls that took longer than the slow-call limit.
    pub slow: u64,
    /// Calls that ended after the breaker had changed state, and so decided nothing.
    pub late: u64,
    /// Calls refused; in a dry run, calls that would have been.
    pub rejected: u64,
}

/// Why and when a breaker opened, with the counts of that moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opened {
    /// The rule.
    pub cause: Cause,
    /// What it had counted.
    pub counts: Counts,
}

/// What only a breaker that has seen trouble has to remember. Services hold thousands that never do.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) totals: Totals,
    pub(crate) causes: Causes,
    pub(crate) opened: Opened,
    pub(crate) open_for: Duration,
    pub(crate) last_failure: Option<(Instant, f64)>,
    /// Openings since the last full close.
    pub(crate) openings: u32,
}

impl History {
    pub(super) const NONE: Self = Self {
        totals: Totals { successes: 0, failures: 0, neutral: 0, slow: 0, late: 0, rejected: 0 },
        causes: Causes::NONE,
        opened: Opened { cause: Cause::None, counts: Counts { calls: 0, failures: 0, slow: 0 } },
        open_for: Duration::ZERO,
        last_failure: None,
        openings: 0,
    };
}
