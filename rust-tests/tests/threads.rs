//! A shared breaker under real threads: whatever they do at once, the sums are exact.
#![allow(clippy::disallowed_methods, reason = "one test needs a clock that goes by itself")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use seawall::breaker::cell::Block;
use seawall::breaker::{
    BreakerConfig, CircuitBreaker, HalfOpen, OpenFor, RateRule, State, TripRule, Window,
};
use seawall::{Instant, Outcome, Rng};
use seawall_tests::js_caller::JsCaller;

const NOW: Instant = Instant::ZERO;
const THREADS: u64 = if cfg!(miri) { 3 } else { 6 };
/// Of each thread. Miri looks at each access, and tries other orders of them than the machine would.
const CALLS: u64 = if cfg!(miri) { 60 } else { 20_000 };
/// The calls of a window that slides.
const LAST: u32 = if cfg!(miri) { 50 } else { 1000 };

/// A rate that is never reached, over the last `calls`.
fn counting(calls: u32) -> Arc<CircuitBreaker> {
    rate(Window::Calls(calls), calls, 1.0)
}

fn rate(window: Window, minimum_calls: u32, failure_rate: f64) -> Arc<CircuitBreaker> {
    let failure_rate = Some(failure_rate);
    let trip = TripRule::Rate(RateRule { window, minimum_calls, failure_rate, slow: None });
    let config = BreakerConfig { trip, ..BreakerConfig::default() };
    Arc::new(CircuitBreaker::new(config, 0).expect("valid options"))
}

/// Runs `work` in several threads at once; what they return, added up.
fn all_at_once(work: impl Fn(u64) -> u64 + Sync) -> u64 {
    let start = std::sync::Barrier::new(THREADS as usize);
    let (work, start) = (&work, &start);
    std::thread::scope(|scope| {
        let run = |thread| {
            move || {
                start.wait();
                work(thread)
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

/// One of a thousand fails; how many did.
fn calls(thread: u64, call: impl Fn(Outcome)) -> u64 {
    let mut rng = Rng::new(thread);
    let mut failures = 0;
    for _ in 0..CALLS {
        let failed = rng.unit() < 0.001;
        failures += u64::from(failed);
        call(if failed { Outcome::Failure } else { Outcome::Success });
    }
    failures
}

fn settle(permit: seawall::breaker::Permit<'_>, outcome: Outcome) {
    match outcome {
        Outcome::Success => permit.success(&NOW),
        outcome => permit.settle(outcome.into(), &NOW),
    }
}

fn assert_sums(breaker: &CircuitBreaker, failures: u64) {
    let seen = breaker.explain(NOW);
    assert_eq!(seen.state, State::Closed);
    assert_eq!(seen.totals.failures, failures);
    assert_eq!(seen.totals.successes, THREADS * CALLS - failures);
}

#[test]
fn with_a_handle_for_each_thread() {
    let breaker = counting(LAST);
    let failures = all_at_once(|thread| {
        let handle = breaker.handle();
        calls(thread, |outcome| settle(handle.try_acquire(&NOW).expect("closed"), outcome))
    });
    assert_sums(&breaker, failures);
    assert_eq!(breaker.explain(NOW).counts.calls, LAST);
}

#[test]
fn without_handles() {
    let breaker = counting(LAST);
    let failures = all_at_once(|thread| {
        calls(thread, |outcome| settle(breaker.try_acquire(&NOW).expect("closed"), outcome))
    });
    assert_sums(&breaker, failures);
}

#[test]
fn with_both_at_once_and_handles_that_come_and_go() {
    let breaker = counting(1_000_000);
    let failures = all_at_once(|thread| {
        let mut handle = breaker.handle();
        let mut failures = 0;
        for call in 0..CALLS {
            let outcome = if call % 1999 == thread { Outcome::Failure } else { Outcome::Success };
            failures += u64::from(outcome == Outcome::Failure);
            if call % 500 == thread {
                handle = breaker.handle();
            }
            let permit =
                if call % 2 == 0 { handle.try_acquire(&NOW) } else { breaker.try_acquire(&NOW) };
            settle(permit.expect("closed"), outcome);
        }
        failures
    });
    assert_sums(&breaker, failures);
    let counts = breaker.explain(NOW).counts;
    assert_eq!(u64::from(counts.calls), THREADS * CALLS);
    assert_eq!(u64::from(counts.failures), failures);
}

#[test]
fn short_lived_threads() {
    let breaker = counting(1_000_000);
    let rounds = if cfg!(miri) { 3 } else { 200 };
    for _ in 0..rounds {
        std::thread::scope(|scope| {
            for with_handle in [false, true, false] {
                let breaker = &breaker;
                scope.spawn(move || {
                    let handle = with_handle.then(|| breaker.handle());
                    for _ in 0..50 {
                        let permit = match &handle {
                            Some(handle) => handle.try_acquire(&NOW),
                            None => breaker.try_acquire(&NOW),
                        };
                        permit.expect("closed").success(&NOW);
                    }
                });
            }
        });
    }
    assert_eq!(breaker.explain(NOW).totals.successes, rounds * 3 * 50);
}

#[test]
fn callers_on_cells_of_one_block() {
    let breaker = counting(1_000_000);
    let block = Arc::new(Block::new(THREADS as usize));
    let failures = all_at_once(|thread| {
        let index = u32::try_from(thread).expect("few");
        let caller = std::cell::RefCell::new(JsCaller::attach(&breaker, &block, index));
        calls(thread, |outcome| {
            let mut caller = caller.borrow_mut();
            let call = caller.acquire(0.0).expect("closed");
            caller.settle(call, outcome.into(), 0.0);
        })
    });
    assert_sums(&breaker, failures);
}

#[test]
fn no_more_calls_run_past_the_minimum_than_there_are_threads() {
    // All fail but the first few; the breaker opens as soon as it has seen the minimum.
    for minimum in if cfg!(miri) { [2, 7, 10] } else { [2, 7, 100] } {
        let breaker = rate(Window::Calls(1000), minimum, 0.5);
        let let_through = all_at_once(|_| {
            let handle = breaker.handle();
            let mut let_through = 0;
            while let Ok(permit) = handle.try_acquire(&NOW) {
                let_through += 1;
                permit.failure(&NOW);
            }
            let_through
        });
        assert!(let_through >= u64::from(minimum));
        assert!(let_through < u64::from(minimum) + THREADS, "{let_through} calls for {minimum}");
    }
}

#[test]
fn probes_and_refusals_of_many_threads_add_up() {
    let config = BreakerConfig {
        trip: TripRule::Consecutive(1),
        open_for: OpenFor::Fixed(Duration::from_millis(100)),
        half_open: HalfOpen { permits: 5, success_rate: 1.0, lease: None },
        ..BreakerConfig::default()
    };
    let breaker = CircuitBreaker::new(config, 0).expect("valid options");
    breaker.try_acquire(&NOW).expect("closed").failure(&NOW);
    let later = Instant::from_millis(101.0);
    let (probes, neutral) = (AtomicU64::new(0), AtomicU64::new(0));
    let refused = all_at_once(|thread| {
        let mut refused = 0;
        for call in 0..CALLS / 10 {
            match breaker.try_acquire(&later) {
                // Dropped without an outcome: it gives its place back.
                Ok(probe) if (call + thread) % 2 == 0 => {
                    neutral.fetch_add(1, Relaxed);
                    drop(probe);
                }
                // Never heard of again.
                Ok(probe) => {
                    probes.fetch_add(1, Relaxed);
                    let _ = probe.into_raw();
                }
                Err(_) => refused += 1,
            }
        }
        refused
    });
    assert_eq!(probes.into_inner(), 5);
    let totals = breaker.explain(later).totals;
    assert_eq!((totals.rejected, totals.neutral), (refused, neutral.into_inner()));
}

#[test]
fn states_change_under_many_threads_and_nothing_is_lost() {
    let config = BreakerConfig {
        trip: TripRule::Consecutive(3),
        open_for: OpenFor::Fixed(Duration::from_micros(50)),
        ..BreakerConfig::default()
    };
    let breaker = Arc::new(CircuitBreaker::new(config, 0).expect("valid options"));
    let start = std::time::Instant::now();
    let clock = || Instant::from(start.elapsed());
    let (failed, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    all_at_once(|thread| {
        let handle = breaker.handle();
        let mut rng = Rng::new(thread);
        for _ in 0..CALLS / 4 {
            let Ok(permit) = handle.try_acquire(&clock) else {
                refused.fetch_add(1, Relaxed);
                continue;
            };
            if rng.unit() < 0.4 {
                failed.fetch_add(1, Relaxed);
                permit.failure(&clock);
            } else {
                permit.success(&clock);
            }
        }
        0
    });
    let seen = breaker.explain(clock());
    assert_eq!(seen.totals.failures, failed.into_inner());
    assert_eq!(seen.totals.rejected, refused.into_inner());
    assert!(seen.generation > if cfg!(miri) { 1 } else { 10 }, "it never changed its state");
}
