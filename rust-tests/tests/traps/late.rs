//! Calls that began before the breaker changed its state.

use seawall::Outcome;
use seawall::breaker::{Reason, Settled, State};

use crate::{Breaker, HOUR, about_to_probe, at, consecutive, ms, probing};

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
