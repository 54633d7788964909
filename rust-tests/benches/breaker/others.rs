//! The breakers to compare with, as their own documentation uses them.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use failsafe::CircuitBreaker as _;
use tower::{Service as _, ServiceExt as _};
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};

use super::{Variant, Work, call, repeat};

pub fn variants() -> Vec<Variant> {
    let recloser = Arc::new(recloser::Recloser::custom().closed_len(100).build());
    let backoff = failsafe::backoff::constant(Duration::from_secs(60));
    let policy = failsafe::failure_policy::consecutive_failures(5, backoff);
    let consecutive = failsafe::Config::new().failure_policy(policy).build();
    let default = failsafe::Config::new().build();
    vec![
        (
            "recloser 1.4, last 100 calls",
            Box::new(move || {
                let recloser = Arc::clone(&recloser);
                repeat(move || recloser.call(call).is_ok())
            }),
        ),
        (
            "failsafe 1.3, consecutive",
            Box::new(move || {
                let breaker = consecutive.clone();
                repeat(move || breaker.call(call).is_ok())
            }),
        ),
        (
            "failsafe 1.3, as it comes",
            Box::new(move || {
                let breaker = default.clone();
                repeat(move || breaker.call(call).is_ok())
            }),
        ),
        ("recloser 1.4, future", recloser_future()),
        ("backon 1.6, retry of a future", backon()),
        ("tower-resilience 0.13, last 100 calls", tower(SlidingWindowType::CountBased)),
        ("tower-resilience 0.13, time window", tower(SlidingWindowType::TimeBased)),
    ]
}

/// One service for all threads, cloned for each, over a future that is ready at once.
fn tower(window: SlidingWindowType) -> Box<dyn Fn() -> Work + Sync> {
    let layer = CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_type(window)
        .sliding_window_size(100)
        // Long enough for some calls; the cost of each grows with how many there are.
        .sliding_window_duration(Duration::from_millis(1))
        .build()
        .expect("valid options");
    let service = layer.layer_fn(tower::service_fn(|(): ()| std::future::ready(call())));
    let service = std::sync::Mutex::new(service);
    Box::new(move || {
        let service = std::cell::RefCell::new(service.lock().expect("no panic").clone());
        repeat(move || {
            let mut service = service.borrow_mut();
            let mut answer = pin!(async { service.ready().await?.call(()).await });
            // It waits for nothing but its own lock, held by the other thread.
            let mut context = Context::from_waker(Waker::noop());
            loop {
                match answer.as_mut().poll(&mut context) {
                    Poll::Ready(answer) => return answer.is_ok(),
                    Poll::Pending => std::thread::yield_now(),
                }
            }
        })
    })
}

fn recloser_future() -> Box<dyn Fn() -> Work + Sync> {
    use recloser::AsyncRecloser;
    let recloser = AsyncRecloser::from(recloser::Recloser::custom().closed_len(100).build());
    let recloser = Arc::new(recloser);
    Box::new(move || {
        let recloser = Arc::clone(&recloser);
        repeat(move || super::futures::run(recloser.call(std::future::ready(call()))))
    })
}

fn backon() -> Box<dyn Fn() -> Work + Sync> {
    use backon::{ExponentialBuilder, Retryable as _};
    Box::new(|| {
        repeat(|| {
            let tries = || std::future::ready(call());
            let tried = tries.retry(ExponentialBuilder::default()).sleep(tokio::time::sleep);
            super::futures::run(std::future::IntoFuture::into_future(tried))
        })
    })
}
