//! Mistakes that well-known circuit breakers have been caught in, and those this one had before
//! its model found them, each by name. Times are in milliseconds.

mod half_open;
mod late;
mod opening;
mod reclose;
mod time;
mod windows;

use std::time::Duration;

use seawall::breaker::{
    BreakerConfig, HalfOpen, Machine, OpenFor, RateRule, RawPermit, Reason, Rejection, State,
    TripRule, Window,
};
use seawall::{Instant, Outcome};

const HOUR: u64 = 3_600_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

/// A machine with a clock that is set by hand.
struct Breaker {
    machine: Machine,
    now: u64,
}

impl Breaker {
    fn new(config: BreakerConfig) -> Self {
        Self { machine: Machine::new(config, 1).expect("valid options"), now: 0 }
    }

    fn acquire(&mut self) -> Result<RawPermit, Rejection> {
        self.machine.acquire(at(self.now))
    }

    fn admitted(&mut self) -> RawPermit {
        self.acquire().expect("let through")
    }

    fn end(&mut self, permit: RawPermit, outcome: Outcome) {
        self.machine.record(permit, outcome.into(), at(self.now));
    }

    fn run(&mut self, outcome: Outcome) {
        let permit = self.admitted();
        self.end(permit, outcome);
    }

    fn succeed(&mut self) {
        self.run(Outcome::Success);
    }

    fn fail(&mut self) {
        self.run(Outcome::Failure);
    }

    fn state(&self) -> State {
        self.machine.state()
    }

    fn reason(&mut self) -> Option<Reason> {
        self.acquire().err().map(|refused| refused.reason)
    }
}

/// Opens after `failures` in a row for 100 ms.
fn consecutive(failures: u32) -> BreakerConfig {
    BreakerConfig {
        trip: TripRule::Consecutive(failures),
        open_for: OpenFor::Fixed(ms(100)),
        ..BreakerConfig::default()
    }
}

fn probing(permits: u32, success_rate: f64, lease: Option<Duration>) -> BreakerConfig {
    let half_open = HalfOpen { permits, success_rate, lease };
    BreakerConfig { half_open, ..consecutive(1) }
}

fn rate(window: Window, minimum_calls: u32, failure_rate: f64) -> BreakerConfig {
    let rule = RateRule { window, minimum_calls, failure_rate: Some(failure_rate), slow: None };
    BreakerConfig { trip: TripRule::Rate(rule), ..consecutive(1) }
}

fn seconds(span: u64) -> Window {
    Window::Time { span: Duration::from_secs(span), slices: 10 }
}

/// One that failed at 0 and asks for its first probe at 101.
fn about_to_probe(config: BreakerConfig) -> Breaker {
    let mut breaker = Breaker::new(config);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
    breaker.now = 101;
    breaker
}
