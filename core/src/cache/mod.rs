//! How long answers are kept, and what one of a given age is good for.
//!
//! **When.** An answer is asked for more often than it changes, and somewhat
//! old is better than slow, or than none.
//!
//! **When not.** As the only place where data lives: what is kept here may be
//! gone at any time.
//!
//! The two further spans are those of RFC 5861 (`stale-while-revalidate`,
//! `stale-if-error`); both begin where the time to live ends.
//!
//! ```
//! use core::time::Duration;
//! use seawall::Instant;
//! use seawall::cache::{Freshness, Lifetimes, LifetimesConfig};
//!
//! let seconds = Duration::from_secs;
//! let mut config = LifetimesConfig::new(seconds(60));
//! config.stale_while_revalidate = seconds(30);
//! config.stale_if_error = seconds(600);
//! let lifetimes = Lifetimes::new(config)?;
//!
//! let stored = Instant::from(seconds(1000));
//! let at = |age| lifetimes.judge(stored, stored.after(seconds(age)), seconds(60));
//! assert_eq!(at(59), Freshness::Fresh);
//! assert_eq!(at(60), Freshness::Stale);
//! assert_eq!(at(90), Freshness::OnError);
//! assert_eq!(at(660), Freshness::Expired);
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod options;
mod room;

use core::time::Duration;

pub use options::CacheOptions;
pub use room::{Room, RoomOptions};

use crate::Rng;
use crate::fields::Checks;
use crate::options::{Problem, Rule};
use crate::time::{Instant, duration_from_millis, nanos};

/// How long an answer is fresh unless told: ten minutes.
pub const TTL: Duration = Duration::from_secs(600);

/// What an answer that was kept is good for.
///
/// The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Freshness {
    /// It is the answer.
    Fresh = 0,
    /// It is the answer, and a new one is fetched in the background.
    Stale = 1,
    /// A new one is fetched; this is the answer if that fails.
    OnError = 2,
    /// Nothing.
    Expired = 3,
}

/// What [`Lifetimes`] are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LifetimesConfig {
    /// How long an answer is fresh. Default ten minutes. Zero: answers are
    /// shared by those who wait for them, and not kept.
    pub ttl: Duration,
    /// How long after that it is still given while a new one is fetched.
    /// Default zero: not at all.
    pub stale_while_revalidate: Duration,
    /// How long after it was fresh it is given where a new one cannot be had.
    /// Default zero: not at all.
    pub stale_if_error: Duration,
    /// By which share the time to live is shortened at most, 0 to 1, so that
    /// answers fetched together do not end together. Default zero.
    pub jitter: f64,
}

impl LifetimesConfig {
    /// Fresh for `ttl` and nothing thereafter.
    #[must_use]
    pub const fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            jitter: 0.0,
        }
    }
}

impl Default for LifetimesConfig {
    fn default() -> Self {
        Self::new(TTL)
    }
}

/// The rule by which answers age. It keeps no state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lifetimes {
    config: LifetimesConfig,
}

impl Lifetimes {
    /// The rule of `config`.
    ///
    /// # Errors
    ///
    /// A jitter outside 0 to 1.
    pub fn new(config: LifetimesConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let lifetimes = Self::checked(config, &mut checks);
        checks.finish(lifetimes)
    }

    fn checked(config: LifetimesConfig, checks: &mut Checks) -> Self {
        checks.rule((0.0..=1.0).contains(&config.jitter), "jitter", Rule::Share);
        Self { config }
    }

    /// How long an answer that is kept now is fresh: `asked`, or the time to
    /// live of the configuration, shortened by the jitter. Never longer.
    #[must_use]
    pub fn lifespan(&self, asked: Option<Duration>, rng: &mut Rng) -> Duration {
        let ttl = asked.unwrap_or(self.config.ttl);
        if self.config.jitter == 0.0 {
            return ttl;
        }
        let share = 1.0 - self.config.jitter * rng.unit();
        Duration::from_nanos((nanos(ttl) as f64 * share) as u64).min(ttl)
    }

    /// How long after it was stored an answer of this lifespan is good for
    /// anything; after that it may be forgotten. Zero where it is not kept.
    #[must_use]
    pub fn kept(&self, lifespan: Duration) -> Duration {
        if lifespan.is_zero() {
            return Duration::ZERO;
        }
        let longest = self.config.stale_while_revalidate.max(self.config.stale_if_error);
        lifespan.saturating_add(longest)
    }

    /// What an answer stored at `stored` with `lifespan` is good for `now`.
    ///
    /// One from the future (another machine's clock, or a clock that was set
    /// back) is as old as it is early: a small difference does no harm, and
    /// with a large one nothing lives for ever.
    #[must_use]
    pub fn judge(&self, stored: Instant, now: Instant, lifespan: Duration) -> Freshness {
        self.at_age(now.since(stored).max(stored.since(now)), lifespan)
    }

    /// The same for an age in ms, below 0 for one from the future: on a
    /// clock that began after the answer was stored there is no such moment.
    #[doc(hidden)]
    #[must_use]
    pub fn judge_age(&self, age_ms: f64, lifespan: Duration) -> Freshness {
        if age_ms.is_nan() {
            return Freshness::Expired;
        }
        self.at_age(duration_from_millis(age_ms.max(-age_ms)), lifespan)
    }

    fn at_age(&self, age: Duration, lifespan: Duration) -> Freshness {
        if age < lifespan {
            return Freshness::Fresh;
        }
        if lifespan.is_zero() {
            return Freshness::Expired;
        }
        let stale_for = age.saturating_sub(lifespan);
        if stale_for < self.config.stale_while_revalidate {
            Freshness::Stale
        } else if stale_for < self.config.stale_if_error {
            Freshness::OnError
        } else {
            Freshness::Expired
        }
    }
}
