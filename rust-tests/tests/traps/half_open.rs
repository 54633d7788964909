//! Probes that hang, that are cancelled, that are too many.

use seawall::Outcome;
use seawall::breaker::{BreakerConfig, CircuitBreaker, OpenFor, Reason, State};

use crate::{Breaker, HOUR, about_to_probe, at, consecutive, ms, probing};

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
fn calls_that_always_outlast_the_lease_do_not_keep_it_half_open() {
    let mut breaker = about_to_probe(probing(1, 1.0, Some(ms(5))));
    let mut running = Vec::new();
    for _ in 0..5 {
        running.push(breaker.admitted());
        breaker.now += 10;
    }
    breaker.machine.record(running.remove(0), Outcome::Failure.into(), at(breaker.now));
    assert_eq!(breaker.state(), State::Open);
    for late in running {
        breaker.machine.record(late, Outcome::Success.into(), at(breaker.now));
    }
    assert_eq!(breaker.state(), State::Open, "those of an earlier trial decide nothing");
    assert_eq!(breaker.machine.explain(at(breaker.now)).totals.late, 4);
}

#[test]
fn an_expired_probe_ends_once() {
    let mut breaker = about_to_probe(probing(3, 1.0, Some(ms(50))));
    let expired = breaker.admitted();
    breaker.now += 50;
    for _ in 0..5 {
        breaker.machine.record(expired, Outcome::Success.into(), at(breaker.now));
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.machine.explain(at(breaker.now)).totals.late, 4);
}

#[test]
fn probes_that_never_end_take_neither_places_nor_memory_for_ever() {
    let mut breaker = about_to_probe(probing(1, 1.0, Some(ms(1))));
    for _ in 0..300_000 {
        breaker.admitted();
        breaker.now += 1;
    }
    let last = breaker.admitted();
    breaker.machine.record(last, Outcome::Success.into(), at(breaker.now));
    assert_eq!(breaker.state(), State::Closed);
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
