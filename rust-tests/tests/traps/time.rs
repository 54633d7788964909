//! Clocks that go back, and restores.

use std::cell::Cell;
use std::sync::Arc;

use seawall::breaker::{BreakerConfig, CircuitBreaker, Reason, Reclose, State};

use crate::{Breaker, HOUR, about_to_probe, at, consecutive, ms, probing, rate, seconds};

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
