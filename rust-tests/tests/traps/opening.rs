//! For how long, and by whom.

use seawall::Outcome;
use seawall::backoff::{Backoff, BackoffConfig, Jitter};
use seawall::breaker::{BreakerConfig, OpenFor, Reason, Settled, State};

use crate::{Breaker, HOUR, at, consecutive, ms};

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
