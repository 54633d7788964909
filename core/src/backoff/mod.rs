//! How long to wait before trying again, and when to stop trying.
//!
//! **Why.** A client that repeats at once adds load to a service that is
//! already failing, and clients that wait equally long come back together.
//! A backoff spaces the attempts out and, by [`Jitter`], away from everybody
//! else's.
//!
//! **When not.** For one repetition of a cheap idempotent read there is nothing
//! to schedule; and a job that runs for ever at an even pace is
//! [`periodic`](crate::periodic).
//!
//! A [`Backoff`] is a formula and keeps no state: the number of the attempt,
//! the wait before it and the generator are arguments. One value may serve any
//! number of runs at a time.
//!
//! ```
//! use core::time::Duration;
//! use seawall::Rng;
//! use seawall::backoff::{Backoff, BackoffConfig, Jitter};
//!
//! let mut config = BackoffConfig::exponential(Duration::from_millis(100));
//! config.max_delay = Duration::from_millis(500);
//! config.max_attempts = Some(5);
//! config.jitter = Jitter::None;
//! let backoff = Backoff::new(config)?;
//!
//! let waits: Vec<u128> = backoff.delays(Rng::new(1)).map(|wait| wait.as_millis()).collect();
//! assert_eq!(waits, [100, 200, 400, 500]);
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod config;
mod constant;
mod decorrelated;
mod delays;
mod exponential;
mod fibonacci;
mod jitter;
mod linear;
mod list;
mod options;

use core::time::Duration;

pub use config::{BackoffConfig, Strategy};
pub use delays::Delays;
pub use jitter::Jitter;
pub use options::BackoffOptions;

use crate::Rng;
use crate::fields::Checks;
use crate::options::Problem;
use crate::time::nanos;

/// A checked schedule of waits between attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    config: BackoffConfig,
}

impl Backoff {
    /// The schedule of `config`.
    ///
    /// # Errors
    ///
    /// The first option that is out of range; see [`BackoffConfig`].
    pub fn new(config: BackoffConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(Self { config })
    }

    /// The schedule of `config`, which has been checked.
    pub(crate) const fn of(config: BackoffConfig) -> Self {
        Self { config }
    }

    /// 100, 250, 500, 1000, 2500 and then 5000 ms for ever: for reconnecting to
    /// something the service cannot do without. No jitter.
    #[must_use]
    pub fn connection_schedule() -> Self {
        Self { config: BackoffConfig::connection_schedule() }
    }

    /// 10, 20 and 40 ms, then no more: for a request somebody is waiting for.
    /// No jitter.
    #[must_use]
    pub fn request_schedule() -> Self {
        Self { config: BackoffConfig::request_schedule() }
    }

    /// What a retry waits unless told: 1 s, doubled each time up to 30 s, a
    /// quarter more or less.
    pub(crate) fn doubling_from_a_second() -> Self {
        Self { config: BackoffConfig::exponential(Duration::from_secs(1)) }
    }

    /// The options it was made of.
    #[must_use]
    pub const fn config(&self) -> &BackoffConfig {
        &self.config
    }

    /// Whether it gives up by itself some day: a limit is set, or the list ends.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.config.max_attempts.is_some()
            || self.config.max_elapsed.is_some()
            || matches!(self.config.strategy, Strategy::List { repeat_last: false, .. })
    }

    /// The wait after attempt number `attempt` (1 is the first) has failed, or
    /// `None` if no further attempt is due. `previous` is the wait before that
    /// attempt, zero before the first; only [`Strategy::Decorrelated`] uses it.
    ///
    /// Draws one number if the schedule has jitter and a wait is answered.
    /// Elapsed time is not known here: see [`Backoff::delay_within`].
    #[must_use]
    pub fn delay(&self, attempt: u32, previous: Duration, rng: &mut Rng) -> Option<Duration> {
        let exhausted = self.config.max_attempts.is_some_and(|most| attempt >= most);
        if exhausted || self.ends_before(attempt) {
            return None;
        }
        Some(self.wait(attempt, previous, rng))
    }

    /// As [`Backoff::delay`], for a run that has lasted `elapsed`: a wait that
    /// would end past [`BackoffConfig::max_elapsed`] is not begun.
    #[must_use]
    pub fn delay_within(
        &self,
        attempt: u32,
        previous: Duration,
        elapsed: Duration,
        rng: &mut Rng,
    ) -> Option<Duration> {
        let wait = self.delay(attempt, previous, rng)?;
        match self.config.max_elapsed {
            Some(limit) if elapsed.saturating_add(wait) > limit => None,
            _ => Some(wait),
        }
    }

    /// The wait after attempt `attempt` without regard to any limit; past the
    /// end of a list its last entry. For a schedule whose owner may not give
    /// up, such as how long a circuit stays open.
    #[must_use]
    pub fn wait(&self, attempt: u32, previous: Duration, rng: &mut Rng) -> Duration {
        let config = &self.config;
        let cap = nanos(config.max_delay);
        let base = nanos(config.base);
        let raw = match &config.strategy {
            Strategy::Constant => constant::delay(base),
            Strategy::Linear { step } => linear::delay(base, nanos(*step), attempt),
            Strategy::Exponential { factor } => exponential::delay(base, *factor, attempt),
            Strategy::Fibonacci => fibonacci::delay(base, attempt, cap),
            Strategy::List { delays, .. } => list::delay(delays, attempt),
            Strategy::Decorrelated => {
                let wait = decorrelated::delay(base, nanos(previous), cap, rng);
                return crate::time::duration(wait);
            }
        };
        crate::time::duration(config.jitter.apply(raw, cap, rng))
    }

    /// All waits of one run, one after the other. Elapsed time is taken to be
    /// the sum of the waits.
    #[must_use]
    pub const fn delays(&self, rng: Rng) -> Delays<'_> {
        Delays::new(self, rng)
    }

    fn ends_before(&self, attempt: u32) -> bool {
        match &self.config.strategy {
            Strategy::List { delays, repeat_last: false } => {
                usize::try_from(attempt).unwrap_or(usize::MAX) > delays.len()
            }
            _ => false,
        }
    }
}
