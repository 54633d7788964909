use std::future::pending;
use std::io;

use seawall::breaker::{BreakerConfig, OpenFor, RateRule, SlowRule, State, TripRule, Window};
use seawall::classify::{ByError, Judged, Processed, Scope, Verdict};
use seawall::error::{Error, Why};
use seawall::tokio::{Breaker, Setup};
use tokio::time::{advance, sleep};

use crate::{cut, fails, ms, poll, takes};

fn breaker() -> Breaker {
    let config = BreakerConfig {
        trip: TripRule::Consecutive(2),
        open_for: OpenFor::Fixed(ms(1_000)),
        ..BreakerConfig::default()
    };
    Breaker::with(config, Setup::named("db").seed(1)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn opens_refuses_probes_and_closes() {
    let breaker = breaker();
    for _ in 0..2 {
        assert!(matches!(breaker.call(fails()).await, Err(Error::Failed(_))));
    }
    assert_eq!(breaker.state(), State::Open);
    advance(ms(400)).await;
    let refused = breaker.call(takes(1)).await.unwrap_err();
    let rejected = *refused.rejected().unwrap();
    assert_eq!(rejected.why, Why::Breaker(seawall::breaker::Reason::Open));
    assert!(rejected.retry_after.unwrap().abs_diff(ms(600)) < ms(1));
    advance(ms(601)).await;
    assert_eq!(breaker.call(takes(5)).await.unwrap(), 5);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_gives_its_place_back() {
    let breaker = breaker();
    for _ in 0..2 {
        let _ = breaker.call(fails()).await;
    }
    advance(ms(1_001)).await;
    let first = cut(1, breaker.call(pending::<io::Result<u64>>())).await;
    assert!(first.is_none());
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.call(takes(1)).await.unwrap(), 1);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_future_that_was_never_polled_holds_nothing() {
    let breaker = breaker();
    for _ in 0..2 {
        let _ = breaker.call(fails()).await;
    }
    advance(ms(1_001)).await;
    let waiting = breaker.call(takes(1));
    assert!(breaker.call(takes(1)).await.is_ok(), "the probe's place is free");
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_of_an_older_generation_decides_nothing() {
    let breaker = breaker();
    let (late, ()) = tokio::join!(
        breaker.call(async {
            sleep(ms(1_500)).await;
            Err::<u64, _>(io::Error::other("late"))
        }),
        async {
            for _ in 0..2 {
                let _ = breaker.call(fails()).await;
            }
            sleep(ms(1_200)).await;
            assert!(breaker.call(takes(1)).await.is_ok());
        }
    );
    assert!(late.is_err());
    assert_eq!(breaker.state(), State::Closed);
    assert!(matches!(breaker.call(fails()).await, Err(Error::Failed(_))));
    assert_eq!(breaker.state(), State::Closed, "it was the first failure of this generation");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_further_in_is_no_failure_of_the_other_side() {
    let (outer, inner) = (breaker(), breaker());
    inner.circuit().isolate(seawall::tokio::now());
    for _ in 0..5 {
        let refused = outer.call_judged(ByError, inner.call(takes(1))).await;
        assert!(refused.unwrap_err().into_failed().unwrap().rejected().is_some());
    }
    assert_eq!(outer.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn opens_for_as_long_as_the_other_side_asks() {
    let throttled = Verdict {
        transient: true,
        processed: Processed::No,
        scope: Scope::Request,
        throttled: true,
        retry_after: Some(ms(7_000)),
    };
    let judge = move |result: Result<&u64, &io::Error>| match result {
        Ok(_) => Judged::Success,
        Err(_) => Judged::Failure(Some(throttled)),
    };
    let deaf = breaker();
    let _ = deaf.call_judged(judge, fails()).await;
    assert_eq!(deaf.state(), State::Closed);
    let breaker = breaker().opening_on_retry_after();
    let _ = breaker.call_judged(judge, fails()).await;
    let refused = breaker.call(takes(1)).await.unwrap_err();
    assert!(refused.retry_after().unwrap().abs_diff(ms(7_000)) < ms(1));
}

#[tokio::test(start_paused = true)]
async fn slow_calls_are_measured_on_the_clock_of_tokio() {
    let slow = Some(SlowRule { rate: 0.5, longer_than: ms(100) });
    let trip = TripRule::Rate(RateRule {
        window: Window::Calls(4),
        minimum_calls: 4,
        failure_rate: None,
        slow,
    });
    let breaker = Breaker::new(BreakerConfig { trip, ..BreakerConfig::default() }).unwrap();
    for time in [10, 200, 10] {
        breaker.call(takes(time)).await.unwrap();
    }
    assert_eq!(breaker.state(), State::Closed);
    breaker.call(takes(200)).await.unwrap();
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_comes_while_calls_run_does_not_make_them_slow() {
    let rule = |slow| {
        let window = Window::Calls(4);
        let trip =
            TripRule::Rate(RateRule { window, minimum_calls: 4, failure_rate: Some(0.5), slow });
        BreakerConfig { trip, ..BreakerConfig::default() }
    };
    let breaker = Breaker::new(rule(None)).unwrap();
    let mut calls: Vec<_> = (0..4).map(|_| Box::pin(breaker.call(takes(10)))).collect();
    for call in &mut calls {
        assert!(poll(call.as_mut()).is_pending());
    }
    let slow = SlowRule { rate: 0.5, longer_than: ms(100) };
    breaker.circuit().update(rule(Some(slow)), seawall::Instant::ZERO).unwrap();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_gives_its_probe_back() {
    let breaker = breaker();
    for _ in 0..2 {
        let _ = breaker.call(fails()).await;
    }
    advance(ms(1_001)).await;
    let other = breaker.clone();
    let panicked = tokio::spawn(async move {
        other
            .call(async { if true { panic!("as it should") } else { Ok::<u64, io::Error>(1) } })
            .await
    });
    assert!(panicked.await.is_err());
    assert!(breaker.call(takes(1)).await.is_ok());
}
