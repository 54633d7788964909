//! Threads that share a breaker.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;
use seawall::Instant;
use seawall::breaker::{
    BreakerConfig, CircuitBreaker, OpenFor, RateRule, Reason, State, Totals, TripRule, Window,
};

use crate::every_order;

const NOW: Instant = Instant::ZERO;
const HOUR: u64 = 3600 * 1_000_000_000;

fn shared(trip: TripRule) -> Arc<CircuitBreaker> {
    let open_for = OpenFor::Fixed(Duration::from_millis(100));
    let config = BreakerConfig { trip, open_for, ..BreakerConfig::default() };
    Arc::new(CircuitBreaker::new(config, 0).expect("valid options"))
}

fn half_of(window: Window, minimum_calls: u32) -> TripRule {
    TripRule::Rate(RateRule { window, minimum_calls, failure_rate: Some(0.5), slow: None })
}

fn succeed(breaker: &CircuitBreaker) {
    if let Ok(permit) = breaker.try_acquire(&NOW) {
        permit.success(&NOW);
    }
}

fn fail(breaker: &CircuitBreaker) {
    if let Ok(permit) = breaker.try_acquire(&NOW) {
        permit.failure(&NOW);
    }
}

fn totals(breaker: &CircuitBreaker) -> Totals {
    breaker.explain(NOW).totals
}

#[test]
fn successes_on_a_handle_beside_failures_are_counted_once() {
    every_order(|| {
        let breaker = shared(half_of(Window::Calls(10), 10));
        let handle = breaker.handle();
        let other = Arc::clone(&breaker);
        let failing = thread::spawn(move || fail(&other));
        for _ in 0..2 {
            handle.try_acquire(&NOW).unwrap().success(&NOW);
        }
        failing.join().unwrap();
        let seen = breaker.explain(NOW);
        assert_eq!((seen.totals.successes, seen.totals.failures), (2, 1));
        assert_eq!((seen.counts.calls, seen.counts.failures), (3, 1));
    });
}

#[test]
fn handles_made_and_dropped_while_counting_lose_nothing() {
    every_order(|| {
        let breaker = shared(half_of(Window::Calls(10), 10));
        let other = Arc::clone(&breaker);
        let counting = thread::spawn(move || {
            let handle = other.handle();
            handle.try_acquire(&NOW).unwrap().success(&NOW);
        });
        let handle = breaker.handle();
        handle.try_acquire(&NOW).unwrap().success(&NOW);
        drop(handle);
        counting.join().unwrap();
        assert_eq!(totals(&breaker).successes, 2);
        assert_eq!(breaker.explain(NOW).counts.calls, 2);
    });
}

#[test]
fn a_handle_dropped_while_failures_are_recorded_loses_nothing() {
    every_order(|| {
        let breaker = shared(half_of(Window::Calls(10), 10));
        let other = Arc::clone(&breaker);
        let failing = thread::spawn(move || {
            fail(&other);
            fail(&other);
        });
        let handle = breaker.handle();
        handle.try_acquire(&NOW).unwrap().success(&NOW);
        drop(handle);
        failing.join().unwrap();
        let Totals { successes, failures, .. } = totals(&breaker);
        assert_eq!((successes, failures), (1, 2));
    });
}

#[test]
fn callers_without_a_handle_are_counted_once() {
    every_order(|| {
        let breaker = shared(half_of(Window::Calls(10), 10));
        // The counters are made by the first success, under a lock that loom does not know.
        succeed(&breaker);
        let other = Arc::clone(&breaker);
        let counting = thread::spawn(move || succeed(&other));
        succeed(&breaker);
        let before = totals(&breaker).successes;
        counting.join().unwrap();
        assert!((2..=3).contains(&before));
        assert_eq!(totals(&breaker).successes, 3);
    });
}

#[test]
fn the_minimum_is_seen_by_whoever_looks_next() {
    every_order(|| {
        let breaker = shared(half_of(Window::Calls(2), 2));
        let handle = breaker.handle();
        let other = Arc::clone(&breaker);
        let failing = thread::spawn(move || fail(&other));
        handle.try_acquire(&NOW).unwrap().success(&NOW);
        failing.join().unwrap();
        breaker.check(NOW);
        assert_eq!(breaker.state(), State::Open);
    });
}

#[test]
fn a_trip_while_another_thread_succeeds() {
    every_order(|| {
        let breaker = shared(TripRule::Consecutive(2));
        let other = Arc::clone(&breaker);
        let failing = thread::spawn(move || {
            fail(&other);
            fail(&other);
        });
        let handle = breaker.handle();
        let asked = u64::from(handle.try_acquire(&NOW).map(|permit| permit.success(&NOW)).is_ok());
        failing.join().unwrap();
        let Totals { failures, rejected, .. } = totals(&breaker);
        assert_eq!((failures, rejected), (2, 1 - asked));
        if breaker.state() == State::Closed {
            // The success came between the two.
            fail(&breaker);
        }
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.acquire(NOW).unwrap_err().reason, Reason::Open);
    });
}

#[test]
fn refusals_are_counted_once() {
    every_order(|| {
        let breaker = shared(TripRule::Consecutive(1));
        fail(&breaker);
        // The counters are made by the first refusal, under a lock that loom does not know.
        assert!(breaker.try_acquire(&NOW).is_err());
        let other = Arc::clone(&breaker);
        let refused = thread::spawn(move || assert!(other.try_acquire(&NOW).is_err()));
        assert!(breaker.try_acquire(&NOW).is_err());
        let before = totals(&breaker).rejected;
        refused.join().unwrap();
        assert!((2..=3).contains(&before));
        assert_eq!(totals(&breaker).rejected, 3);
    });
}

#[test]
fn one_probe_only() {
    every_order(|| {
        let breaker = shared(TripRule::Consecutive(1));
        fail(&breaker);
        let later = Instant::from_millis(101.0);
        let other = Arc::clone(&breaker);
        let asking = thread::spawn(move || other.acquire(later).is_ok());
        let mine = breaker.acquire(later).is_ok();
        assert_ne!(mine, asking.join().unwrap());
    });
}

#[test]
fn dropping_a_probe_cannot_turn_the_clock_back() {
    every_order(|| {
        // A permit borrows its breaker, and loom has no scoped threads.
        let breaker = Box::leak(Box::new(Arc::into_inner(shared(TripRule::Consecutive(1)))));
        let breaker: &'static CircuitBreaker = breaker.as_ref().expect("one owner");
        fail(breaker);
        let probe = breaker.try_acquire(&Instant::from_millis(101.0)).expect("a probe");
        let dropping = thread::spawn(move || drop(probe));
        // An hour later, and open for 100 ms.
        breaker.force_open(Instant::from_nanos(HOUR), 0.0);
        dropping.join().unwrap();
        let refused = breaker.acquire(Instant::from_nanos(HOUR + 1_000_000));
        assert_eq!(refused.unwrap_err().reason, Reason::Open);
    });
}

#[test]
fn a_success_from_before_a_reset_is_of_one_side_of_it() {
    every_order(|| {
        let breaker = shared(half_of(Window::Calls(10), 10));
        let handle = breaker.handle();
        let permit = handle.try_acquire(&NOW).unwrap();
        let other = Arc::clone(&breaker);
        let resetting = thread::spawn(move || other.reset(NOW));
        permit.success(&NOW);
        resetting.join().unwrap();
        let seen = breaker.explain(NOW);
        assert_eq!(seen.totals.successes, 1);
        assert!(seen.counts.calls <= 1);
    });
}
