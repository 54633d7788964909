//! Layers around each other, in the order that is advised.

use std::io;

use seawall::breaker::{BreakerConfig, State, TripRule};
use seawall::error::Why;
use seawall::limit::adaptive::{AdaptiveConfig, Algorithm};
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::limit::throttle::ThrottleConfig;
use seawall::timeout::TimeoutConfig;
use seawall::tokio::{Adaptive, Breaker, Bulkhead, Setup, Throttle, Timeout};
use seawall::tower::{AdaptiveLayer, BreakerLayer, BulkheadLayer, ThrottleLayer, TimeoutLayer};
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};

use crate::{ms, poll};

fn takes(time: u64) -> impl Service<(), Response = (), Error = io::Error, Future: Send> + Clone {
    service_fn(move |()| async move {
        tokio::time::sleep(ms(time)).await;
        Ok(())
    })
}

fn breaker(failures: u32) -> Breaker {
    let trip = TripRule::Consecutive(failures);
    Breaker::new(BreakerConfig { trip, ..BreakerConfig::default() }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limiter_learns_of_time_outs() {
    let config = AdaptiveConfig { min_samples: 5, ..AdaptiveConfig::with(Algorithm::Aimd) };
    let limiter = Adaptive::with(config, Setup::default().seed(1)).unwrap();
    let mut service = ServiceBuilder::new()
        .layer(AdaptiveLayer::new(limiter.clone()))
        .layer(TimeoutLayer::new(Timeout::new(TimeoutConfig::fixed(ms(50))).unwrap()))
        .service(takes(1_000));
    assert_eq!(limiter.explain().limit, 20);
    for _ in 0..50 {
        assert!(service.ready().await.unwrap().call(()).await.is_err());
    }
    assert!(limiter.explain().limit < 20, "{:?}", limiter.explain());
    assert_eq!(limiter.explain().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_does_not_open_as_places_are_taken() {
    let bulkhead = Bulkhead::new(BulkheadConfig::new(1)).unwrap();
    let _place = bulkhead.try_acquire().unwrap();
    let limiter = Adaptive::new(AdaptiveConfig { initial_limit: 1, ..AdaptiveConfig::default() });
    let limiter = limiter.unwrap();
    let breaker = breaker(2);
    let layer = BreakerLayer::new(breaker.clone());
    let mut service = layer.layer(BulkheadLayer::new(bulkhead).layer(takes(1)));
    for _ in 0..2 {
        let refused = service.ready().await.unwrap().call(()).await.unwrap_err();
        let refused = refused.into_failed().unwrap();
        assert_eq!(refused.rejected().unwrap().why, Why::Full);
    }
    assert_eq!(breaker.state(), State::Closed);
    let _place = limiter.try_acquire().unwrap();
    let mut service = layer.layer(AdaptiveLayer::new(limiter).layer(takes(1)));
    for _ in 0..2 {
        assert!(service.ready().await.unwrap().call(()).await.is_err());
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_holds_nothing_back_as_places_are_taken() {
    let bulkhead = Bulkhead::new(BulkheadConfig::new(1)).unwrap();
    let _place = bulkhead.try_acquire().unwrap();
    let throttle = Throttle::with(ThrottleConfig::default(), Setup::default().seed(1)).unwrap();
    let layer = ThrottleLayer::new(throttle.clone());
    let mut service = layer.layer(BulkheadLayer::new(bulkhead).layer(takes(1)));
    for _ in 0..100 {
        assert!(service.ready().await.unwrap().call(()).await.is_err());
    }
    assert_eq!(throttle.explain().refused, 0);
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limiter_learns_nothing_of_a_refusal() {
    let limiter = Adaptive::new(AdaptiveConfig::default()).unwrap();
    let bulkhead = Bulkhead::new(BulkheadConfig::new(1)).unwrap();
    let _place = bulkhead.try_acquire().unwrap();
    let mut service =
        AdaptiveLayer::new(limiter.clone()).layer(BulkheadLayer::new(bulkhead).layer(takes(1)));
    assert!(service.ready().await.unwrap().call(()).await.is_err());
    assert_eq!((limiter.explain().samples, limiter.explain().in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_time_out_opens_a_breaker_unless_the_timer_was_held_up() {
    let timeout = || TimeoutLayer::new(Timeout::new(TimeoutConfig::fixed(ms(50))).unwrap());
    let breaker = breaker(1);
    let layer = BreakerLayer::new(breaker.clone());
    let mut service = layer.layer(timeout().layer(takes(10_000)));
    let mut held_up = Box::pin(service.ready().await.unwrap().call(()));
    assert!(poll(held_up.as_mut()).is_pending());
    tokio::time::advance(ms(5_000)).await;
    assert!(held_up.await.is_err());
    assert_eq!(breaker.state(), State::Closed);
    assert!(service.ready().await.unwrap().call(()).await.is_err());
    assert_eq!(breaker.state(), State::Open);
}
