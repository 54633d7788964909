//! Layers of tower, driven by hand and on a paused clock.
#![cfg(not(loom))]
#![allow(missing_docs, reason = "tests")]

mod http;
mod order;
mod ready;
mod unruly;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall::breaker::{BreakerConfig, OpenFor, State, TripRule};
use seawall::classify::{ByBoxedError, ByError};
use seawall::error::{Error, Why};
use seawall::hedge::HedgeConfig;
use seawall::limit::throttle::ThrottleConfig;
use seawall::retry::RetryConfig;
use seawall::timeout::TimeoutConfig;
use seawall::tokio::{Breaker, Hedge, Retry, Setup, Throttle, Timeout};
use seawall::tower::{BreakerLayer, HedgeLayer, RetryLayer, ThrottleLayer, TimeoutLayer};
use tower::{BoxError, Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn breaker() -> Breaker {
    open_for(1_000)
}

fn open_for(time: u64) -> Breaker {
    let config = BreakerConfig {
        trip: TripRule::Consecutive(1),
        open_for: OpenFor::Fixed(ms(time)),
        ..BreakerConfig::default()
    };
    Breaker::new(config).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_does_not_call_the_service() {
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let mut service = BreakerLayer::new(breaker()).layer(service_fn(move |(): ()| {
        counted.set(counted.get() + 1);
        async { Err::<(), _>(io::Error::other("down")) }
    }));
    assert!(matches!(service.ready().await.unwrap().call(()).await, Err(Error::Failed(_))));
    let refused = service.ready().await.unwrap().call(()).await.unwrap_err();
    let rejected = refused.rejected().unwrap();
    assert_eq!(rejected.why, Why::Breaker(seawall::breaker::Reason::Open));
    assert!(rejected.retry_after.unwrap() > ms(999));
    assert_eq!(calls.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_belongs_to_its_future_and_goes_with_it() {
    let breaker = breaker();
    breaker.circuit().force_open(seawall::tokio::now(), 0.0);
    let hangs = service_fn(|(): ()| pending::<Result<(), Infallible>>());
    let mut service = BreakerLayer::new(breaker.clone()).layer(hangs);
    tokio::time::advance(ms(1_001)).await;
    let mut probe = Box::pin(service.call(()));
    assert!(poll(probe.as_mut()).is_pending());
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(service.call(()).await.unwrap_err().rejected().is_some());
    drop(probe);
    // Never polled, and a probe all the same: the service was called.
    drop(service.call(()));
    assert!(poll(Box::pin(service.call(())).as_mut()).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_gives_the_probe_back() {
    let breaker = breaker();
    breaker.circuit().force_open(seawall::tokio::now(), 0.0);
    tokio::time::advance(ms(1_001)).await;
    let mut service = BreakerLayer::new(breaker.clone()).layer(service_fn(
        |panics: bool| -> std::future::Ready<Result<(), Infallible>> {
            assert!(!panics, "as it should");
            std::future::ready(Ok(()))
        },
    ));
    let call = std::panic::AssertUnwindSafe(|| drop(service.call(true)));
    assert!(std::panic::catch_unwind(call).is_err());
    assert!(service.call(false).await.is_ok());
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_retry_outside_knows_a_refusal_from_a_failure() {
    let breaker = open_for(60_000);
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let service = service_fn(move |(): ()| {
        counted.set(counted.get() + 1);
        async { Err::<(), _>(io::Error::from(io::ErrorKind::ConnectionRefused)) }
    });
    let retry = Retry::with(RetryConfig::default(), Setup::default().seed(1)).unwrap();
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(retry.clone()))
        .layer(BreakerLayer::new(breaker.clone()))
        .service(service);
    let refused = service.oneshot(()).await.unwrap_err();
    assert!(refused.rejected().is_some());
    assert_eq!(calls.get(), 1, "the second try was refused, and such are not repeated");

    let boxed = ServiceBuilder::new()
        .layer(RetryLayer::new(retry).judged_by(ByBoxedError))
        .map_err(BoxError::from)
        .layer(BreakerLayer::new(breaker))
        .service(service_fn(|(): ()| async { Ok::<_, io::Error>(()) }));
    let refused = boxed.oneshot(()).await.unwrap_err();
    assert!(refused.downcast_ref::<Error<io::Error>>().unwrap().rejected().is_some());
}

#[tokio::test(start_paused = true)]
async fn time_outs_throttles_and_hedges() {
    let timeout = Timeout::new(TimeoutConfig::fixed(ms(100))).unwrap();
    let mut service = TimeoutLayer::new(timeout).layer(service_fn(|time: u64| async move {
        tokio::time::sleep(ms(time)).await;
        Ok::<_, io::Error>(time)
    }));
    assert_eq!(service.ready().await.unwrap().call(50).await.unwrap(), 50);
    assert!(matches!(service.call(500).await, Err(Error::TimedOut(_))));

    let throttle = Throttle::with(ThrottleConfig::default(), Setup::default().seed(1)).unwrap();
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let mut service =
        ThrottleLayer::new(throttle).judged_by(ByError).layer(service_fn(move |(): ()| {
            counted.set(counted.get() + 1);
            async { Err::<(), _>(io::Error::other("down")) }
        }));
    for _ in 0..200 {
        assert!(service.call(()).await.is_err());
    }
    assert!(calls.get() < 100, "{}", calls.get());

    let hedge = Hedge::new(HedgeConfig::fixed(ms(20))).unwrap();
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let service = HedgeLayer::new(hedge).layer(service_fn(move |(): ()| {
        let number = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            tokio::time::sleep(if number == 0 { ms(10_000) } else { ms(5) }).await;
            Ok::<_, io::Error>(number)
        }
    }));
    let begun = tokio::time::Instant::now();
    assert_eq!(service.oneshot(()).await.unwrap(), 1);
    assert!(begun.elapsed() < ms(40));
}
