//! Failures on purpose, to see what a system does about them.
//!
//! **Why.** The paths that handle failure are the least run and the most
//! needed. A small rate of made failures keeps them in use.
//!
//! **When not.** Where nobody watches. Nothing here strikes unless it is
//! enabled, and whoever carries a strike out should say so, lest somebody
//! debugs it.
//!
//! ```
//! use seawall::Rng;
//! use seawall::chaos::{Chaos, ChaosConfig, Strike};
//!
//! let mut config = ChaosConfig::failing(0.25);
//! assert_eq!(Chaos::new(config)?.draw(&mut Rng::new(1)), None, "off unless asked");
//!
//! config.enabled = true;
//! let chaos = Chaos::new(config)?;
//! let mut rng = Rng::new(1);
//! let struck = (0..1000).filter(|_| chaos.draw(&mut rng) == Some(Strike::Fault)).count();
//! assert!((200..300).contains(&struck));
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod exit;
mod options;
mod pause;

use core::time::Duration;

#[doc(hidden)]
pub use exit::longest_life;
pub use exit::{EXIT_CODE, LONGEST_LIFE, lifespan};
pub use options::{ChaosOptions, LoopPauseOptions};
pub use pause::{LoopPause, LoopPauseConfig, Pause};

use crate::Rng;
use crate::fields::Checks;
use crate::options::{Problem, Rule};
use crate::time::nanos;

/// The share of calls struck unless told: one in a thousand.
pub const RATE: f64 = 0.001;
/// The share of calls the failing-call experiment strikes unless told: one in
/// ten thousand.
pub const FAILING_RATE: f64 = 0.0001;

/// What is done to a call that is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// It fails.
    Fault,
    /// It is held up, uniformly from the least to the most.
    Latency {
        /// The shortest delay.
        least: Duration,
        /// The longest delay; not below the shortest.
        most: Duration,
    },
    /// It answers what it is told instead of running.
    Result,
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// Fail instead of running.
    Fault,
    /// Run after this delay.
    Delay(Duration),
    /// Answer the prepared result instead of running.
    Result,
}

/// What a [`Chaos`] is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChaosConfig {
    /// Whether it strikes at all. Default false.
    pub enabled: bool,
    /// The share of calls struck, 0 to 1. Default 0.001. Zero strikes none.
    pub rate: f64,
    /// What is done to them.
    pub injection: Injection,
}

impl ChaosConfig {
    /// `injection` into one call in a thousand, not enabled.
    #[must_use]
    pub const fn new(injection: Injection) -> Self {
        Self { enabled: false, rate: RATE, injection }
    }

    /// A failure of the share `rate` of calls, not enabled.
    #[must_use]
    pub const fn failing(rate: f64) -> Self {
        Self { enabled: false, rate, injection: Injection::Fault }
    }
}

/// A source of made failures. It keeps no state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chaos {
    config: ChaosConfig,
}

impl Chaos {
    /// The failures of `config`.
    ///
    /// # Errors
    ///
    /// A rate outside 0 to 1, a longest delay below the shortest.
    pub fn new(config: ChaosConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let chaos = Self::checked(config, &mut checks);
        checks.finish(chaos)
    }

    fn checked(config: ChaosConfig, checks: &mut Checks) -> Self {
        checks.rule((0.0..=1.0).contains(&config.rate), "rate", Rule::Share);
        if let Injection::Latency { least, most } = config.injection {
            checks.between(most >= least, "maxLatencyMs", Rule::NotBelow, "latencyMs");
        }
        Self { config }
    }

    /// What happens to the next call; `None`: nothing. One draw if enabled,
    /// and a second for the delay.
    #[must_use]
    pub fn draw(&self, rng: &mut Rng) -> Option<Strike> {
        self.draw_at(self.config.rate, rng)
    }

    /// The same at another rate, for this call alone; NaN is a rate of zero.
    #[must_use]
    pub fn draw_at(&self, rate: f64, rng: &mut Rng) -> Option<Strike> {
        if !self.config.enabled {
            return None;
        }
        // Whatever the rate, one draw: the calls that follow are struck as they would have been.
        if rng.unit() >= rate || rate.is_nan() {
            return None;
        }
        Some(match self.config.injection {
            Injection::Fault => Strike::Fault,
            Injection::Result => Strike::Result,
            Injection::Latency { least, most } => Strike::Delay(uniform(least, most, rng)),
        })
    }
}

fn uniform(least: Duration, most: Duration, rng: &mut Rng) -> Duration {
    let drawn = rng.between(nanos(least) as f64, nanos(most) as f64);
    crate::time::duration(drawn as u64)
}
