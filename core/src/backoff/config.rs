//! What a schedule is made of.

use alloc::vec::Vec;
use core::time::Duration;

use super::Jitter;
use crate::fields::Checks;
use crate::options::Rule;

/// How the wait grows from attempt to attempt, before cap and jitter.
///
/// `base` is [`BackoffConfig::base`] and `n` the number of the failed attempt.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Strategy {
    /// `base` each time.
    Constant,
    /// `base + step * (n - 1)`.
    Linear {
        /// What each attempt adds; zero makes it constant.
        step: Duration,
    },
    /// `base * factor^(n - 1)`.
    Exponential {
        /// What each attempt multiplies by; at least 1, which makes it constant.
        factor: f64,
    },
    /// `base` times 1, 1, 2, 3, 5, 8 and so on.
    Fibonacci,
    /// The entries in turn; `base` is not used.
    List {
        /// The waits; at least one.
        delays: Vec<Duration>,
        /// Past the end: the last entry again and again, or the end of the run.
        repeat_last: bool,
    },
    /// Uniform from `base` to three times the wait before, or to the cap if
    /// that is less ("decorrelated jitter", Brooker, AWS Architecture Blog
    /// 2015). The original clips what it has drawn, which puts two thirds of
    /// the waits exactly on the cap once it is reached; here the range is
    /// clipped, so they stay spread.
    Decorrelated,
}

/// What a [`Backoff`](super::Backoff) is made of. Start from one of the
/// constructors and set what differs.
#[derive(Debug, Clone, PartialEq)]
pub struct BackoffConfig {
    /// How the wait grows.
    pub strategy: Strategy,
    /// The first wait. Zero: no wait at all (but for a list).
    pub base: Duration,
    /// No wait is longer, with the one exception of
    /// [`Jitter::PlusMinusOverCap`]. At least `base`.
    pub max_delay: Duration,
    /// How the waits are spread.
    pub jitter: Jitter,
    /// How many attempts there are in all, the first included: 3 gives two
    /// waits, 1 none. `None`: no limit. Zero is refused.
    pub max_attempts: Option<u32>,
    /// A wait that would end later than this after the start of the run is not
    /// begun. `None`: no limit. Zero: only waits of zero.
    pub max_elapsed: Option<Duration>,
}

/// The cap unless one is set: [`BackoffConfig::max_delay`].
pub(crate) const MAX_DELAY: Duration = Duration::from_secs(30);
/// The jitter unless one is set, for all strategies that compute their waits.
pub(crate) const JITTER: Jitter = Jitter::PlusMinus(0.25);
/// What an exponential schedule multiplies by unless told.
pub(crate) const FACTOR: f64 = 2.0;

impl BackoffConfig {
    pub(super) fn of(strategy: Strategy, base: Duration) -> Self {
        let (base, max_delay, jitter) = match strategy {
            Strategy::List { .. } => (Duration::ZERO, Duration::MAX, Jitter::None),
            Strategy::Decorrelated => (base, MAX_DELAY.max(base), Jitter::None),
            _ => (base, MAX_DELAY.max(base), JITTER),
        };
        Self { strategy, base, max_delay, jitter, max_attempts: None, max_elapsed: None }
    }

    /// `base` each time, a quarter more or less.
    #[must_use]
    pub fn constant(base: Duration) -> Self {
        Self::of(Strategy::Constant, base)
    }

    /// `base`, twice `base`, three times `base`; at most 30 s, a quarter more or less.
    #[must_use]
    pub fn linear(base: Duration) -> Self {
        Self::of(Strategy::Linear { step: base }, base)
    }

    /// `base`, doubled each time; at most 30 s, a quarter more or less.
    #[must_use]
    pub fn exponential(base: Duration) -> Self {
        Self::of(Strategy::Exponential { factor: FACTOR }, base)
    }

    /// `base` times 1, 1, 2, 3, 5; at most 30 s, a quarter more or less.
    #[must_use]
    pub fn fibonacci(base: Duration) -> Self {
        Self::of(Strategy::Fibonacci, base)
    }

    /// Exactly `delays` in turn, then the last again and again or no more. No
    /// cap, no jitter.
    #[must_use]
    pub fn list(delays: Vec<Duration>, repeat_last: bool) -> Self {
        Self::of(Strategy::List { delays, repeat_last }, Duration::ZERO)
    }

    /// Uniform from `base` to three times the wait before; at most 30 s.
    #[must_use]
    pub fn decorrelated(base: Duration) -> Self {
        Self::of(Strategy::Decorrelated, base)
    }

    /// The waits of [`Backoff::connection_schedule`](super::Backoff::connection_schedule).
    #[must_use]
    pub fn connection_schedule() -> Self {
        Self::list([100, 250, 500, 1000, 2500, 5000].map(Duration::from_millis).into(), true)
    }

    /// The waits of [`Backoff::request_schedule`](super::Backoff::request_schedule).
    #[must_use]
    pub fn request_schedule() -> Self {
        Self::list([10, 20, 40].map(Duration::from_millis).into(), false)
    }

    /// Looks for options out of range, by their names in the JavaScript options.
    pub(crate) fn check(&self, checks: &mut Checks) {
        match &self.strategy {
            Strategy::Exponential { factor } => {
                let holds = *factor >= 1.0 && factor.is_finite();
                checks.limit(holds, "factor", Rule::AtLeast, 1.0);
            }
            Strategy::List { delays, .. } => {
                checks.rule(!delays.is_empty(), "delaysMs", Rule::NotEmpty);
            }
            Strategy::Decorrelated => {
                checks.between(self.jitter == Jitter::None, "jitter", Rule::NotWith, "strategy");
            }
            _ => {}
        }
        checks.between(self.max_delay >= self.base, "maxDelayMs", Rule::NotBelow, "delayMs");
        checks.at_least_one("maxAttempts", self.max_attempts.unwrap_or(1));
        self.jitter.check(checks);
    }
}
