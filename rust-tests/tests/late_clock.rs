//! A clock whose cheap reading is late: what it is asked for, and what it may not change.
#![cfg(not(loom))]

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;
use seawall::breaker::{
    BreakerConfig, CircuitBreaker, Clock, Explanation, RateRule, State, TripRule, Window,
};
use seawall::{Instant, Outcome};
use seawall_tests::cases;

fn ms(ms: u64) -> Instant {
    Instant::ZERO.after(Duration::from_millis(ms))
}

/// How often each reading was asked for.
#[derive(Default)]
struct Late {
    now: Cell<u64>,
    late_by: Cell<u64>,
    exact: Cell<u32>,
    cheap: Cell<u32>,
}

impl Late {
    fn at(&self, now: u64, late_by: u64) {
        self.now.set(now);
        self.late_by.set(late_by);
    }

    fn reads(&self) -> (u32, u32) {
        (self.exact.take(), self.cheap.take())
    }
}

impl Clock for Late {
    fn now(&self) -> Instant {
        self.exact.set(self.exact.get() + 1);
        ms(self.now.get())
    }

    fn lately(&self) -> Instant {
        self.cheap.set(self.cheap.get() + 1);
        ms(self.now.get().saturating_sub(self.late_by.get()))
    }
}

fn breaker(span: u64, slices: u32, failure_rate: f64) -> CircuitBreaker {
    let window = Window::Time { span: Duration::from_millis(span), slices };
    let failure_rate = Some(failure_rate);
    let trip = TripRule::Rate(RateRule { window, minimum_calls: 20, failure_rate, slow: None });
    CircuitBreaker::new(BreakerConfig { trip, ..BreakerConfig::default() }, 0).unwrap()
}

fn call(breaker: &CircuitBreaker, clock: &Late, outcome: Outcome) {
    let answer = if outcome == Outcome::Success { Ok(()) } else { Err(()) };
    let _ = breaker.call(clock, || answer);
}

fn explain(breaker: &CircuitBreaker, now: u64) -> Explanation {
    breaker.explain(ms(now))
}

#[test]
fn a_success_reads_the_cheap_clock_once_and_a_new_slice_the_exact_one_too() {
    let (breaker, clock) = (breaker(10_000, 10, 0.5), Late::default());
    for slice in 1..20u64 {
        // The tick before the slice was the last one: it begins all the same.
        clock.at(slice * 1_000 + 5, 0);
        call(&breaker, &clock, Outcome::Success);
        assert!(clock.reads().0 >= 1, "slice {slice}");
        for since in 5..20 {
            clock.at(slice * 1_000 + since, 20);
            call(&breaker, &clock, Outcome::Success);
            assert_eq!(clock.reads(), (0, 1), "{since} ms into slice {slice}");
        }
        clock.at(slice * 1_000 + 999, 3);
        call(&breaker, &clock, Outcome::Success);
        assert_eq!(clock.reads(), (0, 1), "the end of slice {slice}");
    }
}

#[test]
fn short_slices_go_by_the_exact_clock() {
    let clock = Late::default();
    for (slice, cheap) in [(99, 0), (100, 1)] {
        let breaker = breaker(slice * 10, 10, 0.5);
        clock.at(50_000, 10);
        call(&breaker, &clock, Outcome::Success);
        clock.reads();
        call(&breaker, &clock, Outcome::Success);
        assert_eq!(clock.reads(), (1 - cheap, cheap), "slices of {slice} ms");
    }
}

#[test]
fn an_update_changes_which_clock_is_asked() {
    let (breaker, clock) = (breaker(10_000, 10, 0.5), Late::default());
    clock.at(50_000, 10);
    let window = Window::Time { span: Duration::from_millis(500), slices: 10 };
    let rule = RateRule { window, minimum_calls: 20, failure_rate: Some(0.5), slow: None };
    let config = BreakerConfig { trip: TripRule::Rate(rule), ..BreakerConfig::default() };
    breaker.update(config, ms(50_000)).unwrap();
    call(&breaker, &clock, Outcome::Success);
    clock.reads();
    call(&breaker, &clock, Outcome::Success);
    assert_eq!(clock.reads(), (1, 0));
}

#[test]
fn failures_states_and_probes_go_by_the_exact_clock() {
    let (breaker, clock) = (breaker(10_000, 10, 0.5), Late::default());
    clock.at(50_000, 20);
    for _ in 0..20 {
        call(&breaker, &clock, Outcome::Failure);
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(clock.reads().1, 0);
    let until = 50_000 + explain(&breaker, 50_000).changes_in.unwrap().as_millis() as u64;
    clock.at(until, 20);
    call(&breaker, &clock, Outcome::Success);
    assert_eq!(breaker.state(), State::Open);
    clock.at(until + 1, 20);
    call(&breaker, &clock, Outcome::Success);
    assert_ne!(breaker.state(), State::Open);
    assert_eq!(clock.reads().1, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(200)))]

    /// No call is lost, and each is in the slice of its time or in the one that ended no longer ago
    /// than the reading was late.
    #[test]
    fn a_late_reading_moves_a_success_by_as_much_at_most(
        slices in 1u32..12,
        calls in prop::collection::vec((0u64..400, 0u64..=20, prop::bool::weighted(0.1)), 1..200),
    ) {
        // Never opens.
        let (late, clock) = (breaker(u64::from(slices) * 250, slices, 1.0), Late::default());
        let mut now = 100_000u64;
        let mut seen: Vec<(u64, bool)> = Vec::new();
        clock.at(now, 0);
        call(&late, &clock, Outcome::Success);
        seen.push((now, false));
        for (wait, late_by, failed) in calls {
            now += wait;
            clock.at(now, late_by);
            call(&late, &clock, if failed { Outcome::Failure } else { Outcome::Success });
            seen.push((now, failed));
        }
        let counts = explain(&late, now);
        prop_assert_eq!(counts.totals.successes + counts.totals.failures, seen.len() as u64);
        let begin = (now / 250 + 1 - u64::from(slices).min(now / 250)) * 250;
        let within = |from: u64| seen.iter().filter(|(at, _)| *at >= from).count() as u32;
        prop_assert!(counts.counts.calls <= within(begin), "{:?} {seen:?}", counts.counts);
        prop_assert!(counts.counts.calls >= within(begin + 20), "{:?} {seen:?}", counts.counts);
        let failures = seen.iter().filter(|(at, failed)| *failed && *at >= begin).count();
        prop_assert_eq!(counts.counts.failures as usize, failures);
    }
}
