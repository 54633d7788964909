//! A limit of calls in flight that finds its own height.
//!
//! **Why.** A service that is asked for more than it can do lets calls wait, until all of them wait
//! longer than anybody waits for them: it works at full load for nothing. A limit at what it can do
//! keeps it useful, but nobody knows that number, and it changes. It can be found: as long as more
//! calls in flight bring more throughput they are served beside each other; once they bring latency
//! they wait.
//!
//! **When not.** For a handful of calls a minute: a decision takes [`min_samples`] of them.
//!
//! ```
//! use core::time::Duration;
//! use seawall::limit::adaptive::{AdaptiveConfig, AdaptiveLimiter};
//! use seawall::{Instant, Outcome};
//!
//! let mut limiter = AdaptiveLimiter::new(AdaptiveConfig::default(), 1, Instant::ZERO)?;
//! let mut now = Instant::ZERO;
//! for _ in 0..1_000 {
//!     let begun = (0..50).filter(|_| limiter.start().is_ok()).count();
//!     // A side that serves all of them at once, in 20 ms.
//!     now = now.after(Duration::from_millis(20));
//!     for _ in 0..begun {
//!         limiter.end(Duration::from_millis(20), Outcome::Success, now);
//!     }
//! }
//! assert!(limiter.limit() > 20);
//! # Ok::<(), seawall::options::Problem>(())
//! ```
//!
//! It has no queue: let a [`Bulkhead`] hold the places, whose `max_concurrent` follows the limit.
//!
//! # What is measured
//!
//! Calls are gathered in windows that last for a second, or twice the latency if that is more, and
//! until there are [`min_samples`]. A window says its latency at the [`quantile`], from a histogram of
//! fixed size, its mean latency, the most calls in flight, and whether the limit was reached. Calls
//! that were cancelled are not in it.
//!
//! # The default rule
//!
//! It is failsafe-go's, mended. From there: latency is the median of the last five windows, smoothed
//! (an average of age 5), and compared with a slower baseline (of age 10, ten windows to warm up);
//! `limit * (1 - baseline / latency)` are the calls that wait at the other side; fewer than three let
//! the limit grow by one, more than six lower it (by its decimal logarithm, by a fiftieth where that
//! is more); the limit does not grow past five times the calls in flight seen. So is the idea to ask
//! how calls in flight go together with throughput. In the simulation below that rule, with throughput
//! counted as successes per second, swung between 7 and 57 at 3 times the capacity (goodput 91 to 93 %
//! of it); at 1.2 times the capacity, and on a side that got slower and slower, the limit rose to
//! 200 and 196, some eight times of what was right. What was found, and what is other here:
//!
//! - *Whether the limit is reached was asked at the end of a window.* Under light overload it mostly is
//!   not at that moment. Here it is if it was at any time in the window.
//! - *Correlations say whether, not how much.* Over fifty windows, rising latency and level
//!   throughput correlate for half a minute after the limit has sunk below the capacity. Here it is
//!   the slope over twenty: the *gain*, by how many percent throughput grew for each percent of calls
//!   in flight more. Throughput is calls in flight by mean latency (Little's law), which neither
//!   pauses nor failures falsify.
//! - *The baseline follows any latency within seconds*, and with it the limit follows the queue. Here,
//!   while the limit is reached, the baseline does not rise unless the gain (above 0.5) says that
//!   calls are served and do not wait: then the side has become slower by itself. A limit that is
//!   reached and a gain below 0.3 lower the limit even where latency is what it usually is.
//! - *One more a second is slow for a side with many servers.* Where the gain says that calls are
//!   served, the limit grows by a twentieth.
//! - *A limit far above the calls in flight lets as many wait* as soon as the side becomes slow. Here it
//!   does not grow while less than half of it is used.
//! - *Failures.* Fast ones are not sampled, since a side that refuses at once is no fast side. Slow ones
//!   are; where they are more than the quantile passes over they count as the latency, but never into
//!   the baseline, so that constant time-outs do not become what is usual.
//!
//! # Measured
//!
//! `rust-tests/examples/adaptive.rs`, 20 servers of 50 ms (exponential; a capacity of 400 calls a
//! second, 280 at first), limits of 1 to 200 from 20 on, the worst of five seeds. *Goodput* is the share
//! of the capacity, *p99* is that of the calls let in as a multiple of the unloaded one, both in the
//! time named; *most* is the greatest limit then, and the last column is the limit at its end.
//!
//! | | goodput | p99 | most | at the end |
//! |---|---|---|---|---|
//! | **3 times the capacity, the first minute** | | | | |
//! | correlated | 99 % | 1.24 | 59 | 25 to 32 |
//! | gradient2 | 99 % | 1.24 | 56 | 39 to 40 |
//! | vegas | 99 % | 1.68 | 95 | 62 to 94 |
//! | aimd | 99 % | 1.89 | 120 | 114 to 120 |
//! | **the ten minutes after that** | | | | |
//! | correlated | 100 % | 1.16 | 34 | 25 to 33 |
//! | gradient2 | 100 % | 1.73 | 118 | 113 to 117 |
//! | vegas | 100 % | 2.80 | 200 | 186 to 200 |
//! | aimd | 100 % | 3.02 | 200 | 200 |
//! | **1.2 times the capacity, after ten minutes of it** | | | | |
//! | correlated | 98 % | 1.14 | 36 | 26 to 34 |
//! | gradient2 | 100 % | 2.33 | 170 | 161 to 170 |
//! | vegas | 100 % | 2.60 | 200 | 60 to 200 |
//! | aimd | 100 % | 3.00 | 200 | 200 |
//! | **after slowing down to a quarter within ten minutes** (envoy #38338) | | | | |
//! | correlated | 99 % | 1.14 | 38 | 15 to 33 |
//! | gradient2 | 100 % | 1.45 | 75 | 70 to 75 |
//! | vegas | 100 % | 1.61 | 96 | 56 to 93 |
//! | aimd | 100 % | 3.08 | 200 | 200 |
//! | **each call times out after a second, ten minutes** (concurrency-limits #137) | | | | |
//! | correlated, gradient2, vegas, aimd after a minute of service | | | 70, 65, 55, 69 | 6, 8, 1, 1 |
//! | correlated, gradient2, vegas, aimd from the start | | | 20, 200, 20, 20 | 20, 200, 1, 1 |
//!
//! The default rule with 60 further seeds each, in the five minutes after a minute at 30, 70 or 100 % of
//! the capacity: at 1.2, 3 and 10 times the capacity of 20 servers goodput was never below 94 % and p99
//! never above 1.35; at 3 times that of 5 servers 95 % and 2.04, of 100 servers 98 % and 1.08.
//!
//! [`min_samples`]: AdaptiveConfig::min_samples
//! [`quantile`]: AdaptiveConfig::quantile
//! [`Bulkhead`]: crate::limit::bulkhead::Bulkhead

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
    /// [`Outcome::Neutral`] is a [`discard`](Self::discard). For
    /// [`Algorithm::Correlated`] a failure faster than calls usually succeed is
    /// no sample either, as a side that refuses at once must not look like a
    /// fast one; but a window whose time is over ends with it.
    pub fn end(&mut self, rtt: Duration, outcome: Outcome, now: Instant) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        if outcome == Outcome::Neutral {
            return false;
        }
        self.window.add(rtt, outcome, self.rules.usual());
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
            self.window.add(duration_from_millis(ms), outcome, self.rules.usual());
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
        let time = |nanos: f64| crate::time::duration(nanos as u64);
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
        self.last.map(|sample| crate::time::duration(sample.mean as u64))
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
