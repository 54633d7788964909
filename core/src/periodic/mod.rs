//! When a job that repeats for ever runs next.
//!
//! **Why.** A thousand processes that start together and refresh something
//! each minute do so in the same second of every minute. An offset drawn once
//! spreads them over the period for good.
//!
//! The runs lie on a grid: `start + offset + k * period` for k = 1, 2, 3 and so
//! on, so that late timers and long runs do not add up. Only one run is under
//! way at a time; grid points that pass meanwhile are skipped, not made up for.
//!
//! ```
//! use core::time::Duration;
//! use seawall::periodic::{Offset, Periodic, PeriodicConfig};
//! use seawall::{Instant, Rng};
//!
//! let mut config = PeriodicConfig::new(Duration::from_millis(60));
//! config.offset = Offset::Fixed(Duration::from_millis(17));
//! let mut job = Periodic::new(config, Instant::ZERO, Rng::new(1))?;
//! assert_eq!(job.due(), Some(Instant::from_millis(77.0)));
//!
//! assert!(job.begin(Instant::from_millis(78.0)));
//! assert!(!job.begin(Instant::from_millis(140.0)), "the first run is still under way");
//! job.finish(Instant::from_millis(150.0));
//! assert_eq!(job.due(), Some(Instant::from_millis(197.0)), "137 has passed");
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod options;

use core::time::Duration;

pub use options::PeriodicOptions;

use crate::fields::Checks;
use crate::options::{Problem, Rule};
use crate::time::{nanos, product};
use crate::{Instant, Rng};

/// Where in the period the grid lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    /// Anywhere, drawn once: what keeps a fleet apart.
    Random,
    /// This much after the start; zero runs first after one period.
    Fixed(Duration),
}

/// What a [`Periodic`] is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeriodicConfig {
    /// From one run to the next; above zero.
    pub period: Duration,
    /// Where the grid lies. Default [`Offset::Random`]: the first run comes one
    /// to two periods after the start.
    pub offset: Offset,
    /// How far a run may lie before or after its grid point, as a share of the
    /// period from 0 to 0.5. Default 0: on the point.
    pub jitter: f64,
}

impl PeriodicConfig {
    /// A run each `period`, at a random offset, without jitter.
    #[must_use]
    pub const fn new(period: Duration) -> Self {
        Self { period, offset: Offset::Random, jitter: 0.0 }
    }
}

const MOST_JITTER: f64 = 0.5;

/// A job that repeats for ever, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Periodic {
    period: u64,
    jitter: f64,
    /// The grid point of index 0, at which nothing runs.
    origin: Instant,
    index: u64,
    due: Instant,
    running: bool,
    rng: Rng,
}

impl Periodic {
    /// The job of `config` that starts to count at `now`.
    ///
    /// # Errors
    ///
    /// A period of zero, a jitter outside 0 to 0.5.
    pub fn new(config: PeriodicConfig, now: Instant, rng: Rng) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let job = Self::checked(config, now, rng, &mut checks);
        checks.finish(job)
    }

    fn checked(config: PeriodicConfig, now: Instant, mut rng: Rng, checks: &mut Checks) -> Self {
        checks.above_zero("periodMs", config.period);
        checks.limit(config.jitter >= 0.0, "jitter", Rule::AtLeast, 0.0);
        checks.limit(config.jitter <= MOST_JITTER, "jitter", Rule::AtMost, MOST_JITTER);
        let period = nanos(config.period);
        let offset = match config.offset {
            Offset::Random => crate::time::duration((period as f64 * rng.unit()) as u64),
            Offset::Fixed(offset) => offset,
        };
        let mut job = Self {
            period,
            jitter: config.jitter,
            origin: now.after(offset),
            index: 0,
            due: now,
            running: false,
            rng,
        };
        job.plan(1);
        job
    }

    /// When the next run is due; `None` while one is under way.
    #[must_use]
    pub const fn due(&self) -> Option<Instant> {
        if self.running { None } else { Some(self.due) }
    }

    /// Whether a run begins now: it is due and none is under way.
    #[must_use]
    pub fn begin(&mut self, now: Instant) -> bool {
        let begins = !self.running && now >= self.due;
        self.running |= begins;
        begins
    }

    /// The run is over: plans the next at the first grid point that has not
    /// passed, and answers how many points were skipped. Zero if none was under
    /// way.
    pub fn finish(&mut self, now: Instant) -> u64 {
        if !self.running {
            return 0;
        }
        self.running = false;
        let next = self.index.saturating_add(1);
        let passed = nanos(now.since(self.origin)).checked_div(self.period).unwrap_or(0);
        let ahead = passed.saturating_add(1).max(next);
        self.plan(ahead);
        ahead.saturating_sub(next)
    }

    fn plan(&mut self, index: u64) {
        self.index = index;
        let point = product(self.period, index);
        let shift = match self.jitter > 0.0 {
            true => self.period as f64 * self.jitter * (2.0 * self.rng.unit() - 1.0),
            false => 0.0,
        };
        // The casts floor at zero; index is at least 1, so the sum stays above the origin.
        let since = point.saturating_add(shift as u64).saturating_sub(-shift as u64);
        self.due = self.origin.after(crate::time::duration(since));
    }
}
