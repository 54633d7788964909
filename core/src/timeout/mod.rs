//! How long a try may take, whether it is worth beginning, and whose fault it is when time is up.
//!
//! **Why.** A call without a limit waits as long as the other side likes, and holds a connection, a
//! slot and a user all the while. One deadline for the whole call, known to every layer, keeps tries
//! and waits from adding up to more than anybody waits for.
//!
//! **When not.** Work that cannot be stopped goes on after its time is up, and so do its costs: limit
//! how many run at a time as well. A limit near the usual latency makes a slow moment an outage.
//!
//! What limits a try is the smaller of its own time-out and of what the deadline leaves. The own
//! time-out is fixed, told by the caller for each call, or follows the latencies of late: `factor`
//! times a quantile of them, within two bounds. Those of successes are recorded, and for a try whose
//! time was up the time it was given, without which the quantile could only sink. Failures are not:
//! connections refused at once say nothing of how long an answer takes.
//!
//! A try for which less time is left than the median (or a fixed time) is not begun: it would most
//! likely be in vain, and only add load. Where latencies fall out of the window with nothing tried,
//! tries begin again.
//!
//! ```
//! use core::time::Duration;
//! use seawall::Instant;
//! use seawall::timeout::{Reason, Timeout, TimeoutConfig};
//!
//! let ms = Duration::from_millis;
//! let mut timeout = Timeout::new(TimeoutConfig::following(0.9, 2.0))?;
//! let now = Instant::ZERO;
//! assert_eq!(timeout.limit(None, None, now), Ok(ms(30_000)), "too few latencies to go by");
//! for _ in 0..100 {
//!     timeout.record(ms(50), now);
//! }
//! let limit = timeout.limit(None, None, now).map_err(|_| "not begun")?;
//! assert!(limit.abs_diff(ms(100)) < ms(7));
//! assert_eq!(timeout.limit(None, Some(ms(60)), now), Ok(ms(60)), "the deadline comes first");
//! assert_eq!(timeout.limit(None, Some(ms(20)), now), Err(Reason::TooShort));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod config;
mod header;
mod late;
mod options;

use core::time::Duration;

pub(crate) use config::enough_for;
pub use config::{Least, Own, TimeoutConfig};
pub use header::remaining;
pub use late::Late;
#[cfg(feature = "tokio")]
pub(crate) use late::is_held_up;
pub use options::TimeoutOptions;

use crate::fields::Checks;
use crate::options::Problem;
use crate::quantile::Latencies;
use crate::time::{Instant, nanos};

/// Why a try is not begun. The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i8)]
#[non_exhaustive]
pub enum Reason {
    /// The deadline has passed.
    Passed = -1,
    /// Less time is left than a try is likely to take.
    TooShort = -2,
}

/// What holds for tries that begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The time-out of their own; [`Duration::MAX`] for none.
    pub own: Duration,
    /// They are not begun with less time left than this.
    pub least: Duration,
    /// How many latencies may be gathered before they are recorded and this is asked for again.
    pub ask_after: u32,
}

/// Latencies gathered before the limits are looked at anew: reading a quantile costs about as much
/// as sixteen recordings.
const GATHER: u32 = 16;

/// The time-outs of one policy.
#[derive(Debug, Clone)]
pub struct Timeout {
    config: TimeoutConfig,
    latencies: Latencies,
}

impl Timeout {
    /// The time-outs of `config`.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn new(config: TimeoutConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(Self::checked(config))
    }

    pub(crate) fn checked(config: TimeoutConfig) -> Self {
        let latencies = Latencies::new(config.window);
        Self { config, latencies }
    }

    /// What they are made of.
    #[must_use]
    pub const fn config(&self) -> &TimeoutConfig {
        &self.config
    }

    /// Takes the options of `other`, and keeps the latencies.
    pub fn become_like(&mut self, other: Self) {
        self.latencies.set_window(other.config.window);
        self.config = other.config;
    }

    /// How long a try that begins now may take: [`Duration::MAX`] for as long as it likes. `own` is
    /// the caller's word, which comes before the policy's; `left` is the time until the deadline.
    ///
    /// # Errors
    ///
    /// Why it is not begun.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn limit(
        &mut self,
        own: Option<Duration>,
        left: Option<Duration>,
        now: Instant,
    ) -> Result<Duration, Reason> {
        let limits = self.limits(now);
        let own = own.unwrap_or(limits.own);
        match left {
            None => Ok(own),
            Some(left) if left.is_zero() => Err(Reason::Passed),
            Some(left) if left < limits.least => Err(Reason::TooShort),
            Some(left) => Ok(own.min(left)),
        }
    }

    /// What holds for tries that begin now.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn limits(&mut self, now: Instant) -> Limits {
        let count = self.latencies.count(now);
        let known = count >= self.config.minimum;
        let own = match self.config.own {
            Own::Fixed(own) => own,
            Own::Caller => self.config.fallback,
            Own::Follows { quantile, factor, least, most } => self
                .latencies
                .quantile(quantile, now)
                .filter(|_| known)
                .map_or(self.config.fallback, |latency| {
                    times(latency, factor).max(least).min(most)
                }),
        };
        let least = match self.config.least {
            Least::Fixed(least) => least,
            Least::Median => {
                self.latencies.quantile(0.5, now).filter(|_| known).unwrap_or(Duration::ZERO)
            }
        };
        let missing = self.config.minimum.saturating_sub(count);
        let ask_after = if missing == 0 { GATHER } else { missing.min(GATHER) };
        Limits { own, least, ask_after }
    }

    /// A success took so long, or a try whose time was up had been given so long.
    pub fn record(&mut self, latency: Duration, now: Instant) {
        self.latencies.record(latency, now);
    }

    /// How many latencies are known.
    pub fn count(&mut self, now: Instant) -> u32 {
        self.latencies.count(now)
    }

    /// A quantile (0 to 1) of the latencies known; `None` where there are none.
    pub fn quantile(&mut self, quantile: f64, now: Instant) -> Option<Duration> {
        self.latencies.quantile(quantile, now)
    }

    /// What a timer that fired `late` says of the try whose time is up.
    #[must_use]
    pub fn late(&self, late: Duration) -> Late {
        Late::of(late, self.config.late)
    }
}

impl Limits {
    /// As numbers: the time-out in ms (infinity for none), the time that must be left, the count.
    #[doc(hidden)]
    #[must_use]
    pub fn numbers(&self) -> [f64; 3] {
        [millis(self.own), millis(self.least), f64::from(self.ask_after)]
    }
}

/// `time` in ms, infinity where it is longer than any clock runs.
#[doc(hidden)]
#[must_use]
pub fn millis(time: Duration) -> f64 {
    if nanos(time) == u64::MAX { f64::INFINITY } else { crate::time::millis(time) }
}

/// `time` times `factor`, rounded, within the range.
pub(crate) fn times(time: Duration, factor: f64) -> Duration {
    crate::time::duration_from_millis(crate::time::millis(time) * factor)
}
