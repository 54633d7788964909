//! What a rate limiter is made of.

use core::time::Duration;

use super::window::Limit;
use crate::fields::Checks;
use crate::limit::bucket::{self, MOST_UNITS, Rate};
use crate::options::{Problem, Rule};
use crate::time::nanos;

/// How permits are counted. The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A steady rate with room for a burst: the generic cell rate algorithm (ITU-T I.371, annex
    /// A), as its continuous-state leaky bucket. Within one period up to `limit + burst` permits
    /// pass, on average `limit`. One number of memory. A line of those who wait moves at the full
    /// rate though timers are late: up to 16 ms of permits are caught up with at once.
    #[default]
    Gcra = 0,
    /// At most `limit` permits within any period whatever, wherever it begins. Exact up to a limit
    /// of 32; above, neighbours share one of 34 entries, so that a permit comes back up to a 32nd
    /// of the period late, never early. No more memory or time for a longer period or a larger
    /// limit.
    SlidingWindow = 1,
}

/// What a [`RateLimiter`](super::RateLimiter) is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateConfig {
    /// Permits in a period. Zero is refused.
    pub limit: u32,
    /// The period. Zero is refused.
    pub per: Duration,
    /// Permits at once, after a pause. Default `limit`. A sliding window has room for `limit`
    /// at once whatever is set here.
    pub burst: u32,
    /// How permits are counted. Default [`Kind::Gcra`].
    pub kind: Kind,
    /// How many calls may wait in line. Default 1000. Zero: none.
    pub max_queue: u32,
}

/// Calls in line, unless told.
pub(super) const MAX_QUEUE: u32 = 1000;

impl RateConfig {
    /// `limit` permits in each `per`, and as many at once.
    #[must_use]
    pub const fn new(limit: u32, per: Duration) -> Self {
        Self { limit, per, burst: limit, kind: Kind::Gcra, max_queue: MAX_QUEUE }
    }

    /// At most `limit` permits in any `per`.
    #[must_use]
    pub const fn sliding_window(limit: u32, per: Duration) -> Self {
        Self { kind: Kind::SlidingWindow, ..Self::new(limit, per) }
    }

    pub(super) fn plan(&self, checks: &mut Checks) -> Plan {
        checks.at_least_one("limit", self.limit);
        checks.above_zero("perMs", self.per);
        checks.at_least_one("burst", self.burst);
        let rate = bucket::rate(self.limit, self.per, self.burst);
        let most = MOST_UNITS.checked_div(rate.cost).unwrap_or(0);
        checks.limit(u64::from(self.burst) <= most, "burst", Rule::AtMost, most as f64);
        Plan {
            window: Limit { limit: self.limit, per: nanos(self.per) },
            rate,
            burst: if self.kind == Kind::Gcra { self.burst } else { self.limit },
            kind: self.kind,
            max_queue: self.max_queue,
        }
    }

    /// Whether a limiter can be made of it.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn validate(&self) -> Result<(), Problem> {
        let mut checks = Checks::new();
        self.plan(&mut checks);
        checks.finish(())
    }
}

/// A checked configuration, worked out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) window: Limit,
    pub(super) rate: Rate,
    /// Permits at once.
    pub(super) burst: u32,
    pub(super) kind: Kind,
    pub(super) max_queue: u32,
}
