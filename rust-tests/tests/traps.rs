//! Mistakes that well-known circuit breakers have been caught in, and those this one had before
//! its model found them, each by name. Times are in milliseconds.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use seawall::backoff::{Backoff, BackoffConfig, Jitter};
use seawall::breaker::{
    BreakerConfig, BreakerOptions, Cause, CircuitBreaker, HalfOpen, Machine, OpenFor, RateRule,
    RawPermit, Reason, Reclose, Rejection, Settled, SlowRule, State, TripRule, Window,
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

mod half_open {
    use super::*;

    #[test]
    fn hung_probe_gives_its_place_back() {
        let mut breaker = about_to_probe(probing(1, 1.0, Some(ms(50))));
        let hung = breaker.admitted();
        breaker.now += 49;
        assert_eq!(breaker.reason(), Some(Reason::Probing));
        breaker.now += 1;
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
        breaker.end(hung, Outcome::Failure);
        assert_eq!((breaker.state(), breaker.machine.failures()), (State::Closed, 0));
    }

    #[test]
    fn hung_probe_gives_its_place_back_without_any_option() {
        let mut breaker = about_to_probe(consecutive(1));
        breaker.admitted();
        breaker.now += 99;
        assert_eq!(breaker.reason(), Some(Reason::Probing));
        breaker.now += 1;
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn a_trial_whose_probes_all_hang_again_and_again_never_sticks() {
        let mut breaker = about_to_probe(probing(3, 1.0, Some(ms(50))));
        for _ in 0..1000 {
            for _ in 0..3 {
                breaker.admitted();
            }
            assert_eq!(breaker.reason(), Some(Reason::Probing));
            breaker.now += 50;
        }
        for _ in 0..3 {
            breaker.succeed();
        }
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn a_hung_probe_makes_nobody_wait() {
        let mut breaker = about_to_probe(probing(1, 1.0, Some(ms(50))));
        breaker.admitted();
        breaker.now += 20;
        for _ in 0..1000 {
            let refused = breaker.acquire().unwrap_err();
            assert_eq!((refused.reason, refused.retry_after), (Reason::Probing, Some(ms(30))));
        }
    }

    #[test]
    fn cancelled_probe_is_neutral() {
        let mut breaker = about_to_probe(consecutive(1));
        breaker.run(Outcome::Neutral);
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker.fail();
        assert_eq!(breaker.state(), State::Open);
    }

    #[test]
    fn ignored_outcomes_do_not_starve_the_recovery() {
        let mut breaker = about_to_probe(probing(2, 1.0, None));
        for _ in 0..10_000 {
            breaker.run(Outcome::Neutral);
        }
        breaker.succeed();
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn neutral_probes_behind_a_hung_one_do_not_fill_the_memory() {
        let mut breaker = about_to_probe(probing(2, 1.0, Some(ms(HOUR))));
        breaker.admitted();
        let mut neutral = 0;
        while let Ok(permit) = breaker.acquire() {
            breaker.end(permit, Outcome::Neutral);
            neutral += 1;
            assert!(neutral < 1_000_000, "no end to the probes it remembers");
        }
        breaker.now += HOUR;
        breaker.succeed();
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn dropped_probe_gives_its_place_back() {
        let breaker = CircuitBreaker::new(consecutive(1), 0).unwrap();
        breaker.try_acquire(&at(0)).unwrap().failure(&at(0));
        drop(breaker.try_acquire(&at(101)).unwrap());
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker.try_acquire(&at(101)).unwrap().success(&at(101));
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn a_panic_under_a_probe_gives_its_place_back() {
        let breaker = CircuitBreaker::new(consecutive(1), 0).unwrap();
        breaker.try_acquire(&at(0)).unwrap().failure(&at(0));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _probe = breaker.try_acquire(&at(101)).unwrap();
            std::panic::resume_unwind(Box::new("as it does under a user's function"));
        }));
        assert!(panicked.is_err());
        assert!(breaker.try_acquire(&at(101)).is_ok());
    }

    #[test]
    fn one_bad_probe_of_ten_does_not_reopen() {
        let mut breaker = about_to_probe(probing(10, 0.8, None));
        breaker.fail();
        breaker.fail();
        for _ in 0..8 {
            assert_eq!(breaker.state(), State::HalfOpen);
            breaker.succeed();
        }
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn a_trial_ends_as_soon_as_the_rest_cannot_change_it() {
        let mut breaker = about_to_probe(probing(10, 0.8, None));
        breaker.fail();
        breaker.fail();
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker.fail();
        assert_eq!(breaker.state(), State::Open);
    }

    #[test]
    fn never_more_probes_than_permits() {
        let mut breaker = Breaker::new(probing(3, 1.0, None));
        let before: Vec<_> = (0..100).map(|_| breaker.admitted()).collect();
        breaker.fail();
        breaker.now = 101;
        let mut probes = Vec::new();
        for late in before {
            breaker.end(late, Outcome::Neutral);
            probes.extend(breaker.acquire());
        }
        assert_eq!(probes.len(), 3);
    }

    #[test]
    fn an_open_time_of_zero_ends_at_the_next_call() {
        let mut breaker =
            Breaker::new(BreakerConfig { open_for: OpenFor::Fixed(ms(0)), ..consecutive(1) });
        breaker.fail();
        for _ in 0..100_000 {
            breaker.now += 1;
            breaker.fail();
        }
        assert_eq!(breaker.state(), State::Open);
    }

    #[test]
    fn an_expired_probe_counts_for_nothing() {
        let mut breaker = about_to_probe(probing(1, 1.0, Some(ms(50))));
        let expired = breaker.admitted();
        breaker.now += 50;
        let wish = Settled { open_for: Some(ms(HOUR)), ..Outcome::Failure.into() };
        breaker.machine.record(expired, wish, at(breaker.now));
        assert_eq!((breaker.state(), breaker.machine.failures()), (State::HalfOpen, 1));
        assert_eq!(breaker.machine.explain(at(breaker.now)).totals.late, 1);
    }

    #[test]
    fn probes_required_are_not_one_too_many() {
        // 0.28 * 25 is 7.000000000000001 in floating point.
        let mut breaker = about_to_probe(probing(25, 0.28, None));
        for _ in 0..6 {
            breaker.succeed();
        }
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
    }
}

mod late {
    use super::*;

    #[test]
    fn late_success_does_not_close_a_half_open_breaker() {
        let mut breaker = Breaker::new(consecutive(1));
        let early = breaker.admitted();
        breaker.fail();
        breaker.now = 101;
        let _probe = breaker.admitted();
        breaker.end(early, Outcome::Success);
        assert_eq!(breaker.state(), State::HalfOpen);
        assert_eq!(breaker.reason(), Some(Reason::Probing));
    }

    #[test]
    fn late_failure_does_not_open_a_closed_breaker_again() {
        let mut breaker = Breaker::new(consecutive(1));
        let early: Vec<_> = (0..50).map(|_| breaker.admitted()).collect();
        breaker.fail();
        breaker.now = 101;
        breaker.succeed();
        for permit in early {
            breaker.end(permit, Outcome::Failure);
        }
        assert_eq!((breaker.state(), breaker.machine.failures()), (State::Closed, 0));
        assert_eq!(breaker.machine.explain(at(101)).totals.late, 50);
    }

    #[test]
    fn late_failures_do_not_lengthen_an_opening() {
        let mut breaker = Breaker::new(consecutive(1));
        let early = breaker.admitted();
        breaker.fail();
        breaker.now = 90;
        breaker.end(early, Outcome::Failure);
        breaker.now = 101;
        assert!(breaker.acquire().is_ok());
    }

    #[test]
    fn a_late_neutral_call_frees_no_place() {
        let mut breaker = Breaker::new(consecutive(1));
        let early = breaker.admitted();
        breaker.fail();
        breaker.now = 101;
        let _probe = breaker.admitted();
        breaker.end(early, Outcome::Neutral);
        assert_eq!(breaker.reason(), Some(Reason::Probing));
    }

    #[test]
    fn a_late_result_with_a_wish_opens_nothing() {
        let mut breaker = Breaker::new(consecutive(1));
        let early = breaker.admitted();
        breaker.machine.reset(at(0));
        let wish = Settled { open_for: Some(ms(HOUR)), ..Outcome::Failure.into() };
        breaker.machine.record(early, wish, at(0));
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn a_probe_of_the_trial_before_decides_nothing_in_this_one() {
        let mut breaker = about_to_probe(probing(2, 1.0, None));
        let first = breaker.admitted();
        breaker.fail();
        breaker.now += 101;
        let _second = breaker.admitted();
        breaker.end(first, Outcome::Failure);
        assert_eq!(breaker.state(), State::HalfOpen);
    }
}

mod windows {
    use super::*;

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

    /// Nanoseconds per failing call, the best of several runs.
    fn cost(config: &BreakerConfig, step: u64) -> f64 {
        let mut machine = Machine::new(config.clone(), 0).unwrap();
        let mut now = 0;
        let mut run = |calls: u32, machine: &mut Machine| {
            let start = std::time::Instant::now();
            for _ in 0..calls {
                now += step;
                let permit = machine.acquire(Instant::from_nanos(now)).unwrap();
                let outcome =
                    if now % (3 * step) == 0 { Outcome::Failure } else { Outcome::Success };
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
}

mod time {
    use super::*;

    #[test]
    fn clock_back_one_hour_does_not_keep_it_open() {
        let mut breaker = Breaker { now: 2 * HOUR, ..Breaker::new(consecutive(1)) };
        breaker.fail();
        breaker.now -= HOUR;
        assert_eq!(breaker.acquire().unwrap_err().retry_after, Some(ms(100) + ms(1) / 1_000_000));
        breaker.now += 100;
        assert_eq!(breaker.reason(), Some(Reason::Open));
        breaker.now += 1;
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn clock_back_one_hour_does_not_keep_a_lease_or_a_step() {
        let reclose = Reclose { shares: [0.5].into(), calls: 10, step: ms(50) };
        let config = BreakerConfig { reclose: Some(reclose), ..probing(1, 1.0, Some(ms(50))) };
        let mut breaker = Breaker { now: 2 * HOUR, ..Breaker::new(config) };
        breaker.fail();
        breaker.now += 101;
        breaker.admitted();
        breaker.now -= HOUR;
        assert_eq!(breaker.reason(), Some(Reason::Probing));
        breaker.now += 50;
        breaker.succeed();
        assert_eq!(breaker.state(), State::Recovering);
        breaker.now -= HOUR / 2;
        let _ = breaker.acquire();
        breaker.now += 50;
        breaker.admitted();
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn clock_back_does_not_empty_or_freeze_the_window() {
        let mut breaker = Breaker { now: 2 * HOUR, ..Breaker::new(rate(seconds(10), 4, 0.5)) };
        breaker.fail();
        breaker.fail();
        breaker.now -= HOUR;
        breaker.fail();
        assert_eq!(breaker.machine.failures(), 3);
        breaker.now += 10_001;
        breaker.fail();
        assert_eq!(breaker.machine.failures(), 1);
    }

    #[test]
    fn threads_a_little_out_of_order_do_not_make_time_run() {
        let mut breaker = about_to_probe(consecutive(1));
        breaker.fail();
        for _ in 0..10_000 {
            breaker.now = 100;
            assert_eq!(breaker.reason(), Some(Reason::Open));
            breaker.now = 101;
            assert_eq!(breaker.reason(), Some(Reason::Open));
        }
        breaker.now = 201;
        assert_eq!(breaker.reason(), Some(Reason::Open));
    }

    #[test]
    fn restored_open_breaker_keeps_its_remaining_time() {
        let mut old = Breaker { now: HOUR, ..Breaker::new(consecutive(1)) };
        old.fail();
        old.now += 70;
        let snapshot = old.machine.snapshot(at(old.now));
        let mut new = Breaker { now: 5, ..Breaker::new(consecutive(1)) };
        new.machine.restore(&snapshot, at(5)).unwrap();
        new.now = 35;
        assert_eq!(new.reason(), Some(Reason::Open));
        new.now = 36;
        assert!(new.acquire().unwrap().is_probe());
    }

    #[test]
    fn nobody_looks_at_the_clock_of_a_closed_breaker_without_need() {
        let breaker = Arc::new(CircuitBreaker::new(consecutive(2), 0).unwrap());
        let handle = breaker.handle();
        let looks = Cell::new(0);
        let clock = || {
            looks.set(looks.get() + 1);
            at(0)
        };
        for _ in 0..1000 {
            breaker.call(&clock, || Ok::<_, ()>(())).unwrap();
            handle.call(&clock, || Ok::<_, ()>(())).unwrap();
        }
        assert_eq!(looks.get(), 0);
    }
}

mod opening {
    use super::*;

    fn backoff(config: BackoffConfig) -> BreakerConfig {
        let backoff = Backoff::new(config).unwrap();
        BreakerConfig { open_for: OpenFor::Backoff(Box::new(backoff)), ..consecutive(1) }
    }

    /// How long each of the next openings lasts.
    fn openings(breaker: &mut Breaker, count: usize) -> Vec<u64> {
        let opening = |_| {
            breaker.fail();
            let lasts = breaker.machine.explain(at(breaker.now)).open_for;
            let lasts = u64::try_from(lasts.as_millis()).unwrap();
            breaker.now += lasts + 1;
            lasts
        };
        (0..count).map(opening).collect()
    }

    #[test]
    fn a_limit_of_attempts_does_not_end_the_openings() {
        let config = BackoffConfig {
            jitter: Jitter::None,
            max_attempts: Some(1),
            max_elapsed: Some(ms(5)),
            ..BackoffConfig::linear(ms(10))
        };
        assert_eq!(openings(&mut Breaker::new(backoff(config)), 4), [10, 20, 30, 40]);
    }

    #[test]
    fn the_last_entry_of_a_list_goes_on() {
        let config = BackoffConfig::list([10, 50].map(ms).into(), false);
        assert_eq!(openings(&mut Breaker::new(backoff(config)), 4), [10, 50, 50, 50]);
    }

    #[test]
    fn a_schedule_begins_anew_after_a_closing() {
        let config = BackoffConfig::list([10, 50].map(ms).into(), false);
        let mut breaker = Breaker::new(backoff(config));
        assert_eq!(openings(&mut breaker, 2), [10, 50]);
        breaker.succeed();
        assert_eq!(openings(&mut breaker, 2), [10, 50]);
    }

    #[test]
    fn the_wish_of_one_result_is_not_the_base_of_the_next_opening() {
        let decorrelated = BackoffConfig::decorrelated(ms(10));
        let mut breaker = Breaker::new(backoff(decorrelated));
        let permit = breaker.admitted();
        let wish = Settled { open_for: Some(ms(HOUR)), ..Outcome::Failure.into() };
        breaker.machine.record(permit, wish, at(0));
        breaker.now = HOUR + 1;
        breaker.succeed();
        assert!(openings(&mut breaker, 1)[0] <= 30);
    }

    #[test]
    fn isolated_by_two_is_isolated_until_both_let_go() {
        let mut breaker = Breaker::new(consecutive(1));
        breaker.machine.isolate(at(0));
        breaker.machine.isolate(at(0));
        breaker.machine.release(at(0));
        breaker.machine.reset(at(0));
        assert_eq!(breaker.reason(), Some(Reason::Isolated));
        breaker.machine.release(at(0));
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
        breaker.machine.release(at(0));
        assert_eq!(breaker.state(), State::Closed);
    }
}

mod reclose {
    use super::*;

    fn steps() -> Breaker {
        let config = BreakerConfig {
            half_open: HalfOpen { permits: 1, success_rate: 0.5, lease: None },
            reclose: Some(Reclose { shares: [0.25, 0.5].into(), calls: 10, step: ms(50) }),
            ..consecutive(1)
        };
        let mut breaker = about_to_probe(config);
        breaker.succeed();
        assert_eq!(breaker.state(), State::Recovering);
        breaker
    }

    /// A call that is in the share let through.
    fn let_through(breaker: &mut Breaker) -> RawPermit {
        (0..100).find_map(|_| breaker.acquire().ok()).expect("one in four")
    }

    #[test]
    fn an_upstream_just_back_gets_a_share_of_the_calls() {
        let mut breaker = steps();
        let through = (0..1000).filter(|_| breaker.acquire().is_ok()).count();
        assert_eq!(through, 250);
    }

    #[test]
    fn a_step_that_fails_when_its_time_is_over_refuses_the_call_that_finds_out() {
        let mut breaker = steps();
        let permit = let_through(&mut breaker);
        breaker.end(permit, Outcome::Failure);
        breaker.now += 50;
        assert_eq!(breaker.reason(), Some(Reason::Open));
        // Open since the end of the step, whenever somebody asks.
        breaker.now += 101;
        assert!(breaker.acquire().unwrap().is_probe());
    }

    #[test]
    fn a_call_of_a_step_that_is_over_decides_nothing() {
        let mut breaker = steps();
        let permit = let_through(&mut breaker);
        breaker.now += 50;
        breaker.end(permit, Outcome::Failure);
        assert_eq!(breaker.state(), State::Recovering);
        breaker.now += 50;
        let _ = breaker.acquire();
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn hung_calls_do_not_keep_a_step() {
        let mut breaker = steps();
        for _ in 0..20 {
            let_through(&mut breaker);
        }
        breaker.now += 100;
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
    }
}
