//! What time-outs are made of.

use core::time::Duration;

use crate::fields::Checks;
use crate::options::Rule;

/// Where the time-out of a try comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Own {
    /// Always this; [`Duration::MAX`] for none, zero is refused.
    Fixed(Duration),
    /// The caller tells it for each call.
    Caller,
    /// It follows the latencies of late.
    Follows {
        /// Which quantile of them, above 0 and at most 1.
        quantile: f64,
        /// How many times that; above 0.
        factor: f64,
        /// The least time-out.
        least: Duration,
        /// The longest one.
        most: Duration,
    },
}

/// How much time must be left for a try to be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Least {
    /// This; zero: any.
    Fixed(Duration),
    /// The median of the latencies of late; any, where they are too few.
    Median,
}

/// What a [`Timeout`](super::Timeout) is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeoutConfig {
    /// The time-out of a try.
    pub own: Own,
    /// The time that must be left until the deadline. Default [`Least::Median`].
    pub least: Least,
    /// The time-out while there are too few latencies to go by, and where the caller tells none.
    /// Default 30 s, or the longest one of [`Own::Follows`].
    pub fallback: Duration,
    /// How many latencies are enough to go by. Default 20; to follow a high quantile as many as lie
    /// below it on average before one lies above, 100 for 0.99.
    pub minimum: u32,
    /// How old a latency may be; see [`Latencies`](crate::quantile::Latencies). Default 60 s.
    pub window: Duration,
    /// A timer that fires later than this was held up by whoever runs it. Default 50 ms.
    pub late: Duration,
}

/// The longest time-out, unless told.
pub(crate) const MOST: Duration = Duration::from_secs(30);
/// The least time-out, unless told.
pub(crate) const LEAST: Duration = Duration::from_millis(10);
/// Latencies to go by, unless told.
const MINIMUM: u32 = 20;
/// How old a latency may be, unless told.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// From when on a timer was held up, unless told: more than a garbage collection takes, and than the
/// tasks of a healthy event loop.
pub(super) const LATE: Duration = Duration::from_millis(50);

impl TimeoutConfig {
    /// Time-outs that are always the same.
    #[must_use]
    pub const fn fixed(timeout: Duration) -> Self {
        Self::of(Own::Fixed(timeout))
    }

    /// Time-outs of `factor` times a quantile of the latencies, from 10 ms to 30 s.
    #[must_use]
    pub fn following(quantile: f64, factor: f64) -> Self {
        let own = Own::Follows { quantile, factor, least: LEAST, most: MOST };
        Self { minimum: enough_for(quantile), ..Self::of(own) }
    }

    pub(super) const fn of(own: Own) -> Self {
        Self {
            own,
            least: Least::Median,
            fallback: MOST,
            minimum: MINIMUM,
            window: WINDOW,
            late: LATE,
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.at_least_one("minSamples", self.minimum);
        checks.above_zero("windowMs", self.window);
        checks.above_zero("fallbackMs", self.fallback);
        match self.own {
            Own::Fixed(own) => checks.above_zero("timeoutMs", own),
            Own::Caller => {}
            Own::Follows { quantile, factor, least, most } => {
                checks.ratio("timeoutMs.quantile", quantile);
                checks.limit(factor > 0.0, "timeoutMs.factor", Rule::Above, 0.0);
                checks.above_zero("timeoutMs.minMs", least);
                checks.between(most >= least, "timeoutMs.maxMs", Rule::NotBelow, "timeoutMs.minMs");
            }
        }
    }
}

/// How many latencies a quantile needs.
pub(crate) fn enough_for(quantile: f64) -> u32 {
    let needed = libm::ceil(1.0 / (1.0 - quantile) - 1e-6);
    (needed as u32).clamp(MINIMUM, 10_000)
}
