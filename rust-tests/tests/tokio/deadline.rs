//! What the parts of a policy learn of a call that its deadline ended.

use std::future::pending;
use std::io;

use seawall::breaker::{BreakerConfig, OpenFor, State, TripRule};
use seawall::chaos::{ChaosConfig, Injection};
use seawall::error::Error;
use seawall::hedge::HedgeConfig;
use seawall::limit::adaptive::{AdaptiveConfig, Algorithm};
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::limit::throttle::ThrottleConfig;
use seawall::policy::Stage;
use seawall::retry::RetryConfig;
use seawall::timeout::TimeoutConfig;
use seawall::tokio::{
    Adaptive, Breaker, Bulkhead, Chaos, Hedge, Policy, PolicyBuilder, Retry, Setup, Throttle,
    Timeout,
};
use tokio::time::advance;

use crate::{cut, ms, poll, takes};

fn breaker(failures: u32) -> Breaker {
    let config = BreakerConfig {
        trip: TripRule::Consecutive(failures),
        open_for: OpenFor::Fixed(ms(10_000)),
        ..BreakerConfig::default()
    };
    Breaker::new(config).unwrap()
}

/// A policy that gives every call 250 ms.
fn hurried() -> PolicyBuilder {
    Policy::builder().deadline(ms(250))
}

fn failures(breaker: &Breaker) -> u64 {
    breaker.circuit().explain(seawall::tokio::now()).totals.failures
}

/// A call that hangs until its deadline.
async fn hang(policy: &Policy) -> bool {
    match policy.call(pending::<io::Result<u64>>).await {
        Err(Error::TimedOut(late)) => {
            assert_eq!(late.by, Stage::Deadline);
            late.held_up
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_when_calls_hang_until_their_deadline() {
    for order in [&[][..], &[Stage::Breaker, Stage::Retry], &[Stage::Retry, Stage::Breaker]] {
        let breaker = breaker(2);
        let retry = Retry::new(RetryConfig::default()).unwrap();
        let hedge = Hedge::new(HedgeConfig::fixed(ms(1_000))).unwrap();
        let policy = hurried().retry(retry).hedge(hedge).breaker(breaker.clone()).order(order);
        let policy = policy.build().unwrap();
        hang(&policy).await;
        assert_eq!(breaker.state(), State::Closed);
        hang(&policy).await;
        assert_eq!(breaker.state(), State::Open, "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_learns_of_deadlines() {
    let config = AdaptiveConfig {
        min_samples: 5,
        min_window: ms(100),
        ..AdaptiveConfig::with(Algorithm::Aimd)
    };
    let adaptive = Adaptive::new(config).unwrap();
    let policy = hurried().adaptive(adaptive.clone()).build().unwrap();
    for _ in 0..50 {
        hang(&policy).await;
    }
    assert!(adaptive.explain().limit < 20, "{:?}", adaptive.explain());
    assert_eq!(adaptive.explain().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_learns_of_deadlines() {
    let throttle = Throttle::with(ThrottleConfig::default(), Setup::default().seed(1)).unwrap();
    let policy = hurried().throttle(throttle.clone()).build().unwrap();
    let mut refused = 0;
    for _ in 0..100 {
        match policy.call(pending::<io::Result<u64>>).await {
            Err(Error::Rejected(_)) => refused += 1,
            other => assert!(matches!(other, Err(Error::TimedOut(_))), "{other:?}"),
        }
    }
    assert!(refused > 20, "{refused} of 100");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_held_up_speaks_against_nobody() {
    let (inside, around) = (breaker(1), breaker(1));
    let policy = hurried().breaker(inside.clone()).build().unwrap();
    let outer = hurried().breaker(around.clone()).order(&[Stage::Breaker, Stage::Deadline]);
    let outer = outer.build().unwrap();
    let mut calls = [Box::pin(hang(&policy)), Box::pin(hang(&outer))];
    for call in &mut calls {
        assert!(poll(call.as_mut()).is_pending());
    }
    advance(ms(5_000)).await;
    for call in calls {
        assert!(call.await, "held up");
    }
    assert_eq!([inside.state(), around.state()], [State::Closed; 2]);
    assert!(!hang(&policy).await, "on time");
    assert_eq!(inside.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_place_of_its_own_until_the_deadline_blames_nobody() {
    let breaker = breaker(1);
    let bulkhead = Bulkhead::new(BulkheadConfig { max_queue: 1, ..BulkheadConfig::new(1) });
    let bulkhead = bulkhead.unwrap();
    let place = bulkhead.acquire().await.unwrap();
    let policy = hurried().breaker(breaker.clone()).bulkhead(bulkhead.clone()).build().unwrap();
    hang(&policy).await;
    assert_eq!((breaker.state(), failures(&breaker)), (State::Closed, 0));
    let timeout = Timeout::new(TimeoutConfig::fixed(ms(250))).unwrap();
    let within = Policy::builder().breaker(breaker.clone()).bulkhead(bulkhead.clone());
    let within = within.timeout(timeout).order(&[Stage::Timeout, Stage::Breaker]).build().unwrap();
    assert!(matches!(within.call(|| takes(1)).await, Err(Error::TimedOut(_))));
    assert_eq!((breaker.state(), failures(&breaker)), (State::Closed, 0));
    drop(place);
    hang(&policy).await;
    assert_eq!(breaker.state(), State::Open);
    assert_eq!((bulkhead.explain().running, bulkhead.explain().queued), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_delay_on_purpose_until_the_deadline_is_a_failure() {
    let breaker = breaker(1);
    let injection = Injection::Latency { least: ms(10_000), most: ms(10_000) };
    let chaos = Chaos::new(ChaosConfig { enabled: true, rate: 1.0, injection }).unwrap();
    let policy = hurried().breaker(breaker.clone()).chaos(chaos).build().unwrap();
    hang(&policy).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn who_is_dropped_before_its_deadline_blames_nobody() {
    let breaker = breaker(1);
    let policy = hurried().breaker(breaker.clone()).build().unwrap();
    assert!(cut(1, policy.call(pending::<io::Result<u64>>)).await.is_none());
    assert_eq!(policy.call(|| takes(249)).await.unwrap(), 249);
    assert_eq!((breaker.state(), failures(&breaker)), (State::Closed, 0));
}
