//! A limit of calls in flight that finds its own height.

mod average;
mod config;
mod correlated;
mod correlation;
mod explain;
mod gradient2;
mod histogram;
mod options;
mod rule;
mod vegas;
mod window;

use alloc::vec::Vec;
use core::time::Duration;

pub use config::{AdaptiveConfig, Algorithm};
pub use explain::Explanation;
pub use options::AdaptiveOptions;
pub use rule::Change;

use crate::fields::Checks;
use crate::numbers::{put, put_count, put_time};
use crate::options::Problem;
use crate::time::duration_from_millis;
use crate::{Instant, Outcome, Rng};
use rule::Rules;
use window::{Sample, Window};

/// How many times the greatest number of calls in flight the limit may grow to.
const GREATEST_FACTOR: f64 = 5.0;
/// Samples a caller may gather before it hands them over.
pub const MOST_SAMPLES: u32 = 64;

/// A refusal: as many calls as the limit are in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overload {
    /// The limit at the time.
    pub limit: u32,
    /// Calls in flight.
    pub in_flight: u32,
    /// The mean time calls took lately, after which on average all that is in
    /// flight now has ended. `None` where nothing was measured yet.
    pub retry_after: Option<Duration>,
}

/// What a caller that gathers samples goes by until it hands them over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Calls that may be in flight.
    pub limit: u32,
    /// Hand over with this many samples, at most [`MOST_SAMPLES`] ...
    pub room: u32,
    /// ... or with the first at or after this time; `None`: however long it
    /// takes, for fewer samples decide nothing.
    pub due: Option<Instant>,
    /// As [`Overload::retry_after`].
    pub retry_after: Option<Duration>,
}

impl Terms {
    /// The same as numbers in the order of the fields, for doors that pass
    /// numbers: times in ms, infinity for no time due, -1 for no time measured.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        let mut numbers = Vec::with_capacity(4);
        put_count(&mut numbers, self.limit);
        put_count(&mut numbers, self.room);
        put(&mut numbers, self.due.map_or(f64::INFINITY, Instant::as_millis));
        put_time(&mut numbers, self.retry_after);
        numbers
    }
}

/// A limit of calls in flight that finds its own height; see the [module](self).
///
/// It is moved by events, one caller at a time: callers in several threads
/// share it behind a lock, which they hold for some ten nanoseconds.
#[derive(Debug, Clone)]
pub struct AdaptiveLimiter {
    config: AdaptiveConfig,
    rules: Rules,
    window: Window,
    rng: Rng,
    limit: f64,
    in_flight: u32,
    change: Change,
    last: Option<Sample>,
    /// The greatest number of calls in flight a decision has seen.
    greatest: f64,
}

impl AdaptiveLimiter {
    /// The limiter of `config`; `seed` decides what [`Algorithm::Vegas`] draws,
    /// and the first window begins `now`.
    ///
    /// # Errors
    ///
    /// The first option that is out of range or does not fit the others.
    pub fn new(config: AdaptiveConfig, seed: u64, now: Instant) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(Self::of(config, seed, now))
    }

    fn of(config: AdaptiveConfig, seed: u64, now: Instant) -> Self {
        Self {
            rules: Rules::new(config.algorithm),
            window: Window::new(&config, now),
            rng: Rng::new(seed),
            limit: f64::from(config.initial_limit),
            in_flight: 0,
            change: Change::Initial,
            last: None,
            greatest: 0.0,
            config,
        }
    }

    /// The present limit.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// Calls in flight. More than the limit where that has sunk since they began.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// What it is made of.
    #[must_use]
    pub const fn config(&self) -> &AdaptiveConfig {
        &self.config
    }

    /// Begins a call, which must be ended with [`end`](Self::end) or
    /// [`discard`](Self::discard).
    ///
    /// # Errors
    ///
    /// [`Overload`] if as many calls as the limit are in flight.
    pub fn start(&mut self) -> Result<(), Overload> {
        if self.in_flight >= self.limit() {
            return Err(Overload {
                limit: self.limit(),
                in_flight: self.in_flight,
                retry_after: self.retry_after(),
            });
        }
        self.in_flight = self.in_flight.saturating_add(1);
        self.window.see(self.in_flight);
        Ok(())
    }

    /// Ends a call that took `rtt`; whether the limit changed.
    ///
    /// [`Outcome::Neutral`] is a [`discard`](Self::discard). A failure faster than
    /// calls usually are is not sampled either, a slower one is.
    pub fn end(&mut self, rtt: Duration, outcome: Outcome, now: Instant) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        if outcome == Outcome::Neutral {
            return false;
        }
        self.window.add(rtt, outcome, self.rules.baseline());
        self.decide(now)
    }

    /// Ends a call that says nothing of the other side, such as one its caller
    /// cancelled.
    pub fn discard(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Takes what a caller has gathered by its [`Terms`]: the calls that ended
    /// since the last time, those in flight now, and the most that were since.
    /// The same as if it had told of each call when it began and ended.
    ///
    /// A sample is a latency in ms, of a failure `-1 - latency`.
    pub fn take(&mut self, samples: &[f64], in_flight: u32, peak: u32, now: Instant) -> Terms {
        self.in_flight = in_flight;
        self.window.see(peak);
        for &sample in samples {
            let (ms, outcome) = if sample < 0.0 {
                (-1.0 - sample, Outcome::Failure)
            } else {
                (sample, Outcome::Success)
            };
            self.window.add(duration_from_millis(ms), outcome, self.rules.baseline());
        }
        self.decide(now);
        self.terms()
    }

    /// What a caller that gathers samples goes by.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let lacks = self.window.lacks(&self.config);
        Terms {
            limit: self.limit(),
            room: if lacks <= 1 { MOST_SAMPLES } else { lacks.min(MOST_SAMPLES) },
            due: (lacks <= 1).then(|| self.window.ends()),
            retry_after: self.retry_after(),
        }
    }

    /// Goes on with another configuration. What was measured stays, unless the
    /// algorithm is another; the limit stays too, within the new bounds.
    ///
    /// # Errors
    ///
    /// The first option that is out of range; nothing is changed then.
    pub fn update(&mut self, config: AdaptiveConfig) -> Result<(), Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(())?;
        self.change_to(config);
        Ok(())
    }

    /// The same with a configuration that was checked.
    #[doc(hidden)]
    pub fn change_to(&mut self, config: AdaptiveConfig) {
        if config.algorithm != self.config.algorithm {
            self.rules = Rules::new(config.algorithm);
        }
        self.config = config;
        let before = self.limit();
        self.bound(self.limit);
        if self.limit() != before {
            self.change = Change::Bounds;
        }
    }

    /// Why the limit is as it is.
    #[must_use]
    pub fn explain(&self, now: Instant) -> Explanation {
        let time = |nanos: f64| Duration::from_nanos(nanos as u64);
        Explanation {
            algorithm: self.config.algorithm,
            limit: self.limit(),
            min_limit: self.config.min_limit,
            max_limit: self.config.max_limit,
            in_flight: self.in_flight,
            greatest_in_flight: self.greatest as u32,
            change: self.change,
            latency: self.last.map(|sample| time(sample.rtt)),
            baseline: self.rules.baseline().map(time),
            gain: self.rules.gain(),
            samples: self.window.count(),
            min_samples: self.config.min_samples,
            due_in: self.window.ends().since(now),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        self.last.map(|sample| Duration::from_nanos(sample.mean as u64))
    }

    fn bound(&mut self, limit: f64) {
        let (min, max) = (self.config.min_limit, self.config.max_limit);
        self.limit = limit.max(f64::from(min)).min(f64::from(max));
    }

    fn decide(&mut self, now: Instant) -> bool {
        self.window.not_before(now);
        if !self.window.is_over(&self.config, now) {
            return false;
        }
        let before = self.limit();
        let sample = self.window.close(&self.config, self.limit, now);
        self.last = Some(sample);
        self.greatest = self.greatest.max(sample.peak);
        let (limit, change) = self.rules.next(&sample, self.limit, &self.config, &mut self.rng);
        if limit > self.limit && limit > GREATEST_FACTOR * self.greatest {
            self.change = Change::Unused;
        } else {
            self.change = change;
            self.bound(limit);
        }
        self.limit() != before
    }
}
