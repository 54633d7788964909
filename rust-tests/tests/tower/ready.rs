//! Readiness is back-pressure.

use std::future::pending;
use std::io;
use std::task::Poll;

use seawall::error::Why;
use seawall::limit::adaptive::AdaptiveConfig;
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::limit::rate::RateConfig;
use seawall::tokio::{Adaptive, Bulkhead, RateLimiter};
use seawall::tower::{AdaptiveLayer, BulkheadLayer, RateLimitLayer};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::{ms, poll};

fn takes() -> impl Service<u64, Response = u64, Error = io::Error, Future: Send> + Clone {
    service_fn(|time| async move {
        tokio::time::sleep(ms(time)).await;
        Ok(time)
    })
}

fn bulkhead(max_queue: u32, timeout: Option<u64>) -> Bulkhead {
    let queue_timeout = timeout.map(ms);
    Bulkhead::new(BulkheadConfig { max_queue, queue_timeout, ..BulkheadConfig::new(1) }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_is_ready_when_there_is_a_place() {
    let bulkhead = bulkhead(5, None);
    let layer = BulkheadLayer::new(bulkhead.clone());
    let (mut one, mut two) = (layer.layer(takes()), layer.layer(takes()));
    let call = one.ready().await.unwrap().call(100);
    let mut waiting = Box::pin(two.ready());
    assert!(poll(waiting.as_mut()).is_pending());
    let (first, second) = tokio::join!(call, async { waiting.await.unwrap().call(1).await });
    assert_eq!((first.unwrap(), second.unwrap()), (100, 1));
    assert_eq!(bulkhead.explain().running, 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_ready_gives_its_place_back() {
    let bulkhead = bulkhead(5, None);
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(takes());
    service.ready().await.unwrap();
    assert_eq!(bulkhead.explain().running, 1);
    let mut clone = service.clone();
    assert!(poll(Box::pin(clone.ready()).as_mut()).is_pending(), "a clone has no part in it");
    assert_eq!(bulkhead.explain().queued, 1);
    drop(clone);
    assert_eq!(bulkhead.explain().queued, 0);
    drop(service);
    assert_eq!(bulkhead.explain().running, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_the_answer_of_the_call_and_no_end_of_the_service() {
    let bulkhead = bulkhead(1, Some(50));
    let place = bulkhead.try_acquire().unwrap();
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(takes());
    let refused = service.ready().await.unwrap().call(1).await.unwrap_err();
    assert_eq!(refused.rejected().unwrap().why, Why::Expired);
    let refused = service.call(1).await.unwrap_err();
    assert_eq!(refused.rejected().unwrap().why, Why::Full, "called without being ready");
    drop(place);
    assert_eq!(service.ready().await.unwrap().call(1).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_kept_while_the_inner_service_becomes_ready() {
    struct Busy;
    impl Service<()> for Busy {
        type Response = ();
        type Error = io::Error;
        type Future = std::future::Pending<io::Result<()>>;
        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
        fn call(&mut self, (): ()) -> Self::Future {
            pending()
        }
    }
    let bulkhead = bulkhead(0, None);
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(Busy);
    for _ in 0..3 {
        assert!(poll(Box::pin(service.ready()).as_mut()).is_pending());
        assert_eq!(bulkhead.explain().running, 1);
    }
    drop(service);
    assert_eq!(bulkhead.explain().running, 0);
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limiter_measures_and_gives_back() {
    let limiter = Adaptive::new(AdaptiveConfig::default()).unwrap();
    let mut service = AdaptiveLayer::new(limiter.clone()).layer(takes());
    assert_eq!(service.ready().await.unwrap().call(20).await.unwrap(), 20);
    assert_eq!((limiter.explain().samples, limiter.explain().in_flight), (1, 0));
    let mut call = Box::pin(service.ready().await.unwrap().call(20));
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(limiter.explain().in_flight, 1);
    drop(call);
    assert_eq!((limiter.explain().samples, limiter.explain().in_flight), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rate_limiter_is_ready_at_its_rate() {
    let config = RateConfig { burst: 1, ..RateConfig::new(10, ms(1_000)) };
    let limiter = RateLimiter::new(config).unwrap();
    let mut service = RateLimitLayer::new(limiter.clone()).layer(takes());
    let begun = tokio::time::Instant::now();
    for _ in 0..4 {
        service.ready().await.unwrap().call(1).await.unwrap();
    }
    assert!((300..310).contains(&(begun.elapsed().as_millis() as u64)), "{:?}", begun.elapsed());
    let refused = service.call(1).await.unwrap_err();
    assert!(refused.retry_after().is_some(), "called without being ready");
    let mut other = service.clone();
    let mut waiting = Box::pin(other.ready());
    assert!(poll(waiting.as_mut()).is_pending());
    drop(waiting);
    assert_eq!(limiter.explain().queued, 1, "the service waits, whoever asks it");
    drop(other);
    assert_eq!(limiter.explain().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_asked_no_more_stops_no_other() {
    let config = RateConfig { burst: 1, max_queue: 2, ..RateConfig::new(10, ms(1_000)) };
    let limiter = RateLimiter::new(config).unwrap();
    limiter.try_acquire().unwrap();
    let layer = RateLimitLayer::new(limiter.clone());
    let (mut one, mut two) = (layer.layer(takes()), layer.layer(takes()));
    assert!(poll(Box::pin(one.ready()).as_mut()).is_pending());
    for _ in 0..3 {
        let ready = tokio::time::timeout(ms(10_000), two.ready()).await;
        assert_eq!(ready.unwrap().unwrap().call(1).await.unwrap(), 1);
    }
    assert_eq!(one.ready().await.unwrap().call(1).await.unwrap(), 1);
}
