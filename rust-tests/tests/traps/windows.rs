//! What a rule remembers, for how long, and at what price.

use std::hint::black_box;
use std::time::Duration;

use seawall::breaker::{
    BreakerConfig, BreakerOptions, Cause, CircuitBreaker, Machine, RateRule, Reason, SlowRule,
    State, TripRule, Window,
};
use seawall::{Instant, Outcome};

use crate::{Breaker, HOUR, at, consecutive, ms, rate, seconds};

#[test]
fn window_slides_after_100000_successes() {
    let mut breaker = Breaker::new(rate(Window::Calls(100), 100, 0.5));
    for _ in 0..100_000 {
        breaker.succeed();
    }
    for failures in 0..50 {
        assert_eq!(breaker.state(), State::Closed, "after {failures} failures");
        breaker.fail();
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn idle_hour_empties_the_time_window() {
    let mut breaker = Breaker::new(rate(seconds(10), 101, 0.5));
    for _ in 0..100 {
        breaker.fail();
    }
    assert_eq!(breaker.machine.failures(), 100);
    breaker.now += HOUR;
    breaker.fail();
    assert_eq!((breaker.state(), breaker.machine.failures()), (State::Closed, 1));
}

#[test]
fn an_explanation_after_an_idle_hour_counts_nothing_old() {
    let mut breaker = Breaker::new(rate(seconds(10), 101, 0.5));
    for _ in 0..100 {
        breaker.fail();
    }
    let counts = breaker.machine.explain(at(HOUR)).counts;
    assert_eq!((counts.calls, counts.failures), (0, 0));
}

#[test]
fn slices_leave_one_by_one_and_not_all_at_once() {
    let mut breaker = Breaker::new(rate(seconds(10), 1000, 0.5));
    for second in 0..10 {
        breaker.now = second * 1000;
        breaker.fail();
    }
    for second in 0..10 {
        breaker.now = 10_000 + second * 1000;
        let counts = breaker.machine.explain(at(breaker.now)).counts;
        assert_eq!(u64::from(counts.failures), 9 - second);
    }
}

#[test]
fn calls_under_way_do_not_dilute_the_rate() {
    let mut breaker = Breaker::new(rate(seconds(10), 20, 0.3));
    let calls: Vec<_> = (0..1000).map(|_| breaker.admitted()).collect();
    let mut failures = 0;
    for (number, permit) in calls.into_iter().enumerate() {
        let failed = number % 2 == 1;
        failures += u32::from(failed && breaker.state() == State::Closed);
        breaker.end(permit, if failed { Outcome::Failure } else { Outcome::Success });
    }
    assert_eq!((breaker.state(), failures), (State::Open, 10));
}

#[test]
fn refused_calls_do_not_dilute_the_rate() {
    let mut breaker = Breaker::new(rate(Window::Calls(10), 2, 0.5));
    breaker.fail();
    breaker.fail();
    for _ in 0..1000 {
        assert_eq!(breaker.reason(), Some(Reason::Open));
    }
    breaker.now = 101;
    breaker.succeed();
    breaker.fail();
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn the_first_failure_alone_opens_nothing() {
    let options = BreakerOptions { failure_rate: Some(0.5), ..BreakerOptions::default() };
    let mut breaker = Breaker::new(options.into_config().unwrap());
    breaker.fail();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_service_with_few_calls_opens_too() {
    // One call in 5 s, and the other side is dead.
    let options = BreakerOptions { failure_rate: Some(0.5), ..BreakerOptions::default() };
    let mut breaker = Breaker::new(options.into_config().unwrap());
    for _ in 0..20 {
        assert_eq!(breaker.state(), State::Closed);
        breaker.fail();
        breaker.now += 5000;
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_success_that_completes_the_minimum_opens() {
    let mut breaker = Breaker::new(rate(Window::Calls(10), 10, 0.5));
    for _ in 0..6 {
        breaker.fail();
    }
    for _ in 0..3 {
        breaker.succeed();
    }
    assert_eq!(breaker.state(), State::Closed);
    breaker.succeed();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn seven_of_a_hundred_reach_seven_percent() {
    let mut breaker = Breaker::new(rate(Window::Calls(100), 100, 0.07));
    for _ in 0..7 {
        breaker.fail();
    }
    for _ in 0..93 {
        assert_eq!(breaker.state(), State::Closed);
        breaker.succeed();
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn calls_that_are_slow_and_succeed_open_by_the_slow_rate() {
    let slow = SlowRule { rate: 0.5, longer_than: ms(20) };
    let trip = TripRule::Rate(RateRule {
        window: Window::Calls(4),
        minimum_calls: 4,
        failure_rate: None,
        slow: Some(slow),
    });
    let breaker = CircuitBreaker::new(BreakerConfig { trip, ..consecutive(1) }, 0).unwrap();
    for (start, lasts) in [(0, 20), (0, 21), (50, 1), (60, 1000)] {
        assert_eq!(breaker.state(), State::Closed);
        breaker.try_acquire(&at(start)).unwrap().success(&at(start + lasts));
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.explain(at(1060)).opened.cause, Cause::SlowRate);
}

#[test]
fn the_counts_of_an_opening_are_those_of_its_moment() {
    let trip = TripRule::Failures { failures: 3, within: ms(1000) };
    let mut breaker = Breaker::new(BreakerConfig { trip, ..consecutive(1) });
    breaker.fail();
    breaker.fail();
    breaker.now = HOUR;
    breaker.machine.force_open(at(HOUR), 0.0);
    assert_eq!(breaker.machine.explain(at(HOUR)).opened.counts.failures, 0);
}

#[allow(clippy::disallowed_methods, reason = "it measures")]
/// Nanoseconds per failing call, the best of several runs.
fn cost(config: &BreakerConfig, step: u64) -> f64 {
    let mut machine = Machine::new(config.clone(), 0).unwrap();
    let mut now = 0;
    let mut run = |calls: u32, machine: &mut Machine| {
        let start = std::time::Instant::now();
        for _ in 0..calls {
            now += step;
            let permit = machine.acquire(Instant::from_nanos(now)).unwrap();
            let outcome = if now % (3 * step) == 0 { Outcome::Failure } else { Outcome::Success };
            machine.record(black_box(permit), outcome.into(), Instant::from_nanos(now));
        }
        start.elapsed().as_nanos() as f64 / f64::from(calls)
    };
    run(200_000, &mut machine);
    (0..20).map(|_| run(2000, &mut machine)).fold(f64::INFINITY, f64::min)
}

#[test]
fn cost_per_call_does_not_grow_with_the_window() {
    let calls = |size| rate(Window::Calls(size), 10, 0.9);
    let time = |slices| {
        let window = Window::Time { span: Duration::from_secs(3600), slices };
        rate(window, 10, 0.9)
    };
    let within = |failures| BreakerConfig {
        trip: TripRule::Failures { failures, within: ms(2) },
        ..consecutive(1)
    };
    for (what, small, large) in [
        ("calls", cost(&calls(10), 1000), cost(&calls(1_000_000), 1000)),
        ("slices", cost(&time(1), 1000), cost(&time(3600), 1000)),
        ("calls in a slice", cost(&time(10), 1_000_000_000), cost(&time(10), 1)),
        ("failures", cost(&within(1000), 1_000_000), cost(&within(100_000), 1000)),
    ] {
        // A cost in proportion would be 1000 times as much; a busy machine may cost some.
        assert!(large < 20.0 * small + 500.0, "{what}: {small:.0} ns, then {large:.0} ns");
    }
}
