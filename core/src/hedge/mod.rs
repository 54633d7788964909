//! When to send a second request although the first may still answer.
//!
//! **Why.** Where one call in a hundred hangs for reasons of its own (a busy replica, a lost packet,
//! a garbage collection), a second one is most likely to answer at once. Sent only when the first has
//! taken longer than, say, 95 of 100 do, it costs 5 % more calls and takes the tail away ("The Tail
//! at Scale", Dean and Barroso, 2013).
//!
//! **When not.** Calls that must not be carried out twice. Where everything is slow because there is
//! too much to do, hedges make it worse: give them a budget, and let the delay follow the latencies,
//! so that by definition few calls are slow.
//!
//! A delay that follows is measured by the first try alone. One that was overtaken counts with the
//! time it had taken by then: left out, the slow ones would be missing and the quantile would sink
//! with each hedge that wins.
//!
//! ```
//! use core::time::Duration;
//! use seawall::Instant;
//! use seawall::hedge::{Hedge, HedgeConfig, Reason};
//!
//! let ms = Duration::from_millis;
//! let now = Instant::ZERO;
//! let mut hedge = Hedge::new(HedgeConfig::following(0.9))?;
//! assert_eq!(hedge.delay(1, None, None, now), Err(Reason::TooFew));
//! for i in 1..=100 {
//!     hedge.record(ms(i), now);
//! }
//! let delay = hedge.delay(1, None, None, now).map_err(|_| "no hedge")?;
//! assert!(delay.abs_diff(ms(90)) < ms(3));
//! assert_eq!(hedge.delay(2, None, None, now), Err(Reason::Most), "one hedge to a call");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod options;

use core::time::Duration;

pub use options::HedgeOptions;

use crate::fields::Checks;
use crate::options::Problem;
use crate::quantile::Latencies;
use crate::time::Instant;
use crate::timeout::enough_for;

/// Why no hedge is begun. The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i8)]
#[non_exhaustive]
pub enum Reason {
    /// There have been as many as allowed.
    Most = -1,
    /// There are too few latencies to go by.
    TooFew = -2,
    /// The deadline comes first.
    Deadline = -3,
}

/// How long to wait for the tries under way before a hedge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// Always this; zero: all at once.
    Fixed(Duration),
    /// The caller tells it for each call.
    Caller,
    /// This quantile (above 0 and at most 1) of the latencies of late.
    Follows(f64),
}

/// What a [`Hedge`] is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgeConfig {
    /// How long to wait before each hedge.
    pub delay: Delay,
    /// How many hedges a call may have. Default 1; zero is refused.
    pub most: u32,
    /// How many latencies are enough to go by. Default 20; for a high quantile as many as lie below
    /// it on average before one lies above.
    pub minimum: u32,
    /// The delay while there are fewer, and where the caller tells none; `None`: no hedge then. The
    /// default.
    pub fallback: Option<Duration>,
    /// The least delay that follows. Default zero.
    pub least: Duration,
    /// How old a latency may be; see [`Latencies`]. Default 60 s.
    pub window: Duration,
}

impl HedgeConfig {
    /// Hedges after a time that is always the same.
    #[must_use]
    pub const fn fixed(delay: Duration) -> Self {
        Self::of(Delay::Fixed(delay))
    }

    /// Hedges for calls that take longer than this share of the calls of late.
    #[must_use]
    pub fn following(quantile: f64) -> Self {
        Self { minimum: enough_for(quantile), ..Self::of(Delay::Follows(quantile)) }
    }

    const fn of(delay: Delay) -> Self {
        Self {
            delay,
            most: 1,
            minimum: 20,
            fallback: None,
            least: Duration::ZERO,
            window: Duration::from_secs(60),
        }
    }

    fn check(&self, checks: &mut Checks) {
        checks.at_least_one("maxHedges", self.most);
        checks.at_least_one("minSamples", self.minimum);
        checks.above_zero("windowMs", self.window);
        if let Delay::Follows(quantile) = self.delay {
            checks.ratio("delayMs.quantile", quantile);
        }
    }
}

/// Latencies gathered before the delay is looked at anew.
const GATHER: u32 = 16;

/// The hedges of one policy.
#[derive(Debug, Clone)]
pub struct Hedge {
    config: HedgeConfig,
    latencies: Latencies,
}

impl Hedge {
    /// The hedges of `config`.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn new(config: HedgeConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(Self::checked(config))
    }

    fn checked(config: HedgeConfig) -> Self {
        let latencies = Latencies::new(config.window);
        Self { config, latencies }
    }

    /// What they are made of.
    #[must_use]
    pub const fn config(&self) -> &HedgeConfig {
        &self.config
    }

    /// Takes the options of `other`, and keeps the latencies.
    pub fn become_like(&mut self, other: Self) {
        self.latencies.set_window(other.config.window);
        self.config = other.config;
    }

    /// How long after the try number `begun` (1 is the first) the next one begins, if none has
    /// answered by then. `own` is the caller's word, `left` the time until the deadline.
    ///
    /// # Errors
    ///
    /// Why none begins.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn delay(
        &mut self,
        begun: u32,
        own: Option<Duration>,
        left: Option<Duration>,
        now: Instant,
    ) -> Result<Duration, Reason> {
        if begun > self.config.most {
            return Err(Reason::Most);
        }
        let delay = own.or_else(|| self.usual(now)).ok_or(Reason::TooFew)?;
        if left.is_some_and(|left| delay >= left) { Err(Reason::Deadline) } else { Ok(delay) }
    }

    /// The delay of calls that begin now and bring none; `None` for no hedge.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn usual(&mut self, now: Instant) -> Option<Duration> {
        match self.config.delay {
            Delay::Fixed(delay) => Some(delay),
            Delay::Caller => self.config.fallback,
            Delay::Follows(quantile) => {
                if self.latencies.count(now) < self.config.minimum {
                    return self.config.fallback;
                }
                let delay = self.latencies.quantile(quantile, now)?;
                Some(delay.max(self.config.least))
            }
        }
    }

    /// How many latencies may be gathered before they are recorded and the delay is asked for again.
    pub fn ask_after(&mut self, now: Instant) -> u32 {
        let missing = self.config.minimum.saturating_sub(self.latencies.count(now));
        if missing == 0 { GATHER } else { missing.min(GATHER) }
    }

    /// The first try of a call took so long: to its success, or until it was overtaken.
    pub fn record(&mut self, latency: Duration, now: Instant) {
        self.latencies.record(latency, now);
    }

    /// How many latencies are known.
    pub fn count(&mut self, now: Instant) -> u32 {
        self.latencies.count(now)
    }
}
