//! Closing in steps.

use seawall::Outcome;
use seawall::breaker::{BreakerConfig, HalfOpen, RawPermit, Reason, Reclose, State};

use crate::{Breaker, about_to_probe, consecutive, ms};

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
