//! A client that holds back by itself while the other side fails it.
//!
//! **Why.** An overloaded side that must refuse calls is not relieved by callers who go on calling.
//! Each caller sees how many of its calls succeed; it sends a little more than that, and refuses
//! the rest where it costs nothing. There is no state to be stuck in: as calls succeed again, more
//! are let through.
//!
//! **When not.** With few calls, one failure is a large share: below `minimum_calls` nothing is
//! refused. A breaker is the better choice where the other side is either up or down.
//!
//! **How.** A call is refused with the probability `min(max, max(0, n - k * s) / (n + 1))`, where
//! `n` counts the calls of the last while, those refused here included, and `s` those that
//! succeeded: chapter 21 of "Site Reliability Engineering" (Beyer and others, 2016), "Client-Side
//! Throttling", with a ceiling. So the other side gets about `k` times what it accepts.
//!
//! ```
//! use std::time::Duration;
//! use seawall::{Instant, Outcome, Rng};
//! use seawall::limit::throttle::{Throttle, ThrottleConfig};
//!
//! let mut rng = Rng::new(1);
//! let mut throttle = Throttle::new(ThrottleConfig::default())?;
//! let at = |s| Instant::ZERO.after(Duration::from_secs(s));
//! for _ in 0..50 {
//!     throttle.settle(Outcome::Failure, at(0));
//! }
//! let passed = (0..100).filter(|_| throttle.admit(at(0), &mut rng)).count();
//! assert!(passed < 30);
//! assert!(throttle.admit(at(61), &mut rng), "what is past is forgotten");
//! # Ok::<(), seawall::options::Problem>(())
//! ```

use alloc::vec::Vec;
use core::time::Duration;

use crate::breaker::Counts;
use crate::breaker::window::TimeWindow;
use crate::fields::Checks;
use crate::numbers::{put, put_count};
use crate::options::{Problem, Rule};
use crate::time::Instant;
use crate::{Outcome, Rng};

/// Into how many slices the window is divided: calls count for up to a twentieth of it less.
const SLICES: u32 = 20;

/// The largest `k`, which refuses next to nothing.
const MOST_K: f64 = 1e6;

/// What a [`Throttle`] is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThrottleConfig {
    /// How many calls are sent for each that succeeds, 1 to 1e6. Default 2: nothing is refused
    /// while at least every other call succeeds. Nearer to 1 it refuses sooner, and finds out
    /// later that the other side has recovered.
    pub k: f64,
    /// For how long a call counts. Default 60 s.
    pub window: Duration,
    /// With fewer calls in the window nothing is refused. Default 20. Zero is 1.
    pub minimum_calls: u32,
    /// The highest probability of a refusal, above 0 and at most 1. Default 0.9. With 1, hardly
    /// any call finds out that the other side has recovered.
    pub max_rejection: f64,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self { k: 2.0, window: Duration::from_secs(60), minimum_calls: 20, max_rejection: 0.9 }
    }
}

impl ThrottleConfig {
    fn check(&self, checks: &mut Checks) {
        checks.limit(self.k >= 1.0, "k", Rule::AtLeast, 1.0);
        checks.limit(self.k <= MOST_K, "k", Rule::AtMost, MOST_K);
        checks.above_zero("windowMs", self.window);
        checks.ratio("maxRejection", self.max_rejection);
    }
}

/// A throttle in plain values; what is left out has the default of [`ThrottleConfig`].
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct ThrottleOptions {
    /// How many calls are sent for each that succeeds, 1 to 1e6.
    pub k: Option<f64>,
    /// For how long a call counts, in ms.
    pub window_ms: Option<f64>,
    /// With fewer calls in the window nothing is refused; a whole number.
    pub minimum_calls: Option<f64>,
    /// The highest probability of a refusal, above 0 and at most 1.
    pub max_rejection: Option<f64>,
}

impl ThrottleOptions {
    /// The configuration they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<ThrottleConfig, Problem> {
        let mut checks = Checks::new();
        let config = self.make(&mut checks);
        config.check(&mut checks);
        checks.finish(config)
    }

    fn make(&self, checks: &mut Checks) -> ThrottleConfig {
        let default = ThrottleConfig::default();
        ThrottleConfig {
            k: self.k.unwrap_or(default.k),
            window: checks.positive("windowMs", self.window_ms, default.window),
            minimum_calls: checks.whole(
                "minimumCalls",
                self.minimum_calls,
                0.0,
                default.minimum_calls,
            ),
            max_rejection: self.max_rejection.unwrap_or(default.max_rejection),
        }
    }
}

/// Refuses a share of calls while others fail. See the [module](self).
#[derive(Debug, Clone)]
pub struct Throttle {
    config: ThrottleConfig,
    /// `slow` counts the calls refused here.
    window: TimeWindow,
}

impl Throttle {
    /// A throttle of `config` that has seen no call.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn new(config: ThrottleConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let throttle = Self::checked(config, &mut checks);
        checks.finish(throttle)
    }

    fn checked(config: ThrottleConfig, checks: &mut Checks) -> Self {
        config.check(checks);
        Self { config, window: TimeWindow::new(config.window, SLICES) }
    }

    /// The throttle of options, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn of(options: &ThrottleOptions, checks: &mut Checks) -> Self {
        Self::checked(options.make(checks), checks)
    }

    /// Goes on by other options. The counts stay, unless the window has another length: then the
    /// shares stay, of the calls of a window that begins now.
    ///
    /// # Errors
    ///
    /// The first option that is out of range; nothing has changed then.
    pub fn update(&mut self, config: ThrottleConfig, now: Instant) -> Result<(), Problem> {
        let mut checks = Checks::new();
        let other = Self::checked(config, &mut checks);
        checks.finish(())?;
        self.become_like(&other, now);
        Ok(())
    }

    /// Goes on by the options of `other`, which has seen no call.
    #[doc(hidden)]
    pub fn become_like(&mut self, other: &Self, now: Instant) {
        self.window.advance(now);
        let counts = self.window.counts();
        if other.config.window != self.config.window {
            self.window = TimeWindow::new(other.config.window, SLICES);
            self.window.advance(now);
            self.window.add(counts);
        }
        self.config = other.config;
    }

    /// Whether a call may begin. A refusal counts; what becomes of a call that begins is told by
    /// [`Throttle::settle`]. One draw, and none while nothing is refused.
    pub fn admit(&mut self, now: Instant, rng: &mut Rng) -> bool {
        let rejection = self.rejection(now);
        if rejection <= 0.0 || rng.unit() >= rejection {
            return true;
        }
        self.window.add(Counts { calls: 1, failures: 0, slow: 1 });
        false
    }

    /// Counts a call that has ended; a neutral one does not count.
    pub fn settle(&mut self, outcome: Outcome, now: Instant) {
        self.window.advance(now);
        if outcome != Outcome::Neutral {
            let failures = u32::from(outcome == Outcome::Failure);
            self.window.add(Counts { calls: 1, failures, slow: 0 });
        }
    }

    /// Counts successes of the slice under way when the throttle last heard of the time.
    pub fn succeeded(&mut self, calls: u32) {
        self.window.add(Counts { calls, failures: 0, slow: 0 });
    }

    /// The probability with which a call is refused.
    #[must_use]
    pub fn rejection(&mut self, now: Instant) -> f64 {
        self.window.advance(now);
        let counts = self.window.counts();
        if counts.calls < self.config.minimum_calls {
            return 0.0;
        }
        let n = f64::from(counts.calls);
        let successes = f64::from(successes(counts));
        // Not `clamp`, whose panic brings all formatting of floats into the WASM.
        ((n - self.config.k * successes) / (n + 1.0)).max(0.0).min(self.config.max_rejection)
    }

    /// Until when successes need not be told one by one and no call need be asked for, as there is
    /// no failure in the window; `None` if there is one.
    #[must_use]
    pub fn untroubled_until(&mut self, now: Instant) -> Option<Instant> {
        self.window.advance(now);
        let counts = self.window.counts();
        if successes(counts) < counts.calls {
            return None;
        }
        self.window.slice().map(|(_, until)| until)
    }

    /// The state in numbers.
    #[must_use]
    pub fn explain(&mut self, now: Instant) -> ThrottleExplanation {
        let rejection = self.rejection(now);
        let counts = self.window.counts();
        ThrottleExplanation {
            rejection,
            calls: counts.calls,
            successes: successes(counts),
            failures: counts.failures,
            refused: counts.slow,
        }
    }
}

const fn successes(counts: Counts) -> u32 {
    counts.calls.saturating_sub(counts.failures).saturating_sub(counts.slow)
}

/// The state of a throttle in numbers, of the calls of its window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThrottleExplanation {
    /// The probability with which a call is refused now.
    pub rejection: f64,
    /// All calls.
    pub calls: u32,
    /// Those that succeeded.
    pub successes: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those refused here.
    pub refused: u32,
}

impl ThrottleExplanation {
    /// The fields in their order.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        let mut numbers = Vec::new();
        put(&mut numbers, self.rejection);
        for count in [self.calls, self.successes, self.failures, self.refused] {
            put_count(&mut numbers, count);
        }
        numbers
    }
}
