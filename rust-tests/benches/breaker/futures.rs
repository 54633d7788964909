//! The same call as a future that is ready at once, through policies of `seawall::tokio` and layers
//! of `seawall::tower`.

use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall::breaker::{BreakerConfig, RateRule, TripRule, Window};
use seawall::classify::{AllPass, ByResult};
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::limit::rate::RateConfig;
use seawall::limit::throttle::ThrottleConfig;
use seawall::retry::RetryConfig;
use seawall::timeout::TimeoutConfig;
use seawall::tokio::{Breaker, Bulkhead, Policy, RateLimiter, Retry, Throttle, Timeout};
use seawall::tower::{
    BreakerLayer, BulkheadLayer, RateLimitLayer, RetryLayer, ThrottleLayer, TimeoutLayer,
};
use tower::{Layer, Service, service_fn};

use super::{Variant, Work, call, repeat};

/// Polls a future that is ready.
#[inline]
pub fn run<T, E>(future: impl Future<Output = Result<T, E>>) -> bool {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    matches!(polled, Poll::Ready(Ok(_)))
}

fn breaker(trip: TripRule) -> Breaker {
    Breaker::new(BreakerConfig { trip, ..BreakerConfig::default() }).expect("valid options")
}

fn rate(window: Window) -> TripRule {
    TripRule::Rate(RateRule { window, minimum_calls: 20, failure_rate: Some(0.5), slow: None })
}

pub fn variants() -> Vec<Variant> {
    let consecutive = || breaker(TripRule::Consecutive(5));
    let calls = || breaker(rate(Window::Calls(100)));
    let time = || breaker(rate(Window::Time { span: Duration::from_secs(10), slices: 10 }));
    let timeout = Timeout::new(TimeoutConfig::fixed(Duration::from_secs(1))).expect("valid");
    let bulkhead = Bulkhead::new(BulkheadConfig::new(10)).expect("valid");
    let throttle = Throttle::new(ThrottleConfig::default()).expect("valid");
    let retry = Retry::new(RetryConfig::default()).expect("valid");
    // More than any machine makes.
    let rate_limiter = RateConfig::new(1_000_000_000, Duration::from_secs(1));
    let rate_limiter = RateLimiter::new(rate_limiter).expect("valid");
    let policy = Policy::builder()
        .retry(retry.clone())
        .breaker(consecutive())
        .timeout(timeout.clone())
        .bulkhead(bulkhead.clone())
        .build()
        .expect("no contradiction");
    let again = retry.clone();
    vec![
        ("future alone", Box::new(|| repeat(|| run(ready(call()))))),
        ("future, consecutive", future(consecutive())),
        ("future, last 100 calls", future(calls())),
        ("future, time window", future(time())),
        (
            "future, retry",
            Box::new(move || {
                let retry = again.clone();
                repeat(move || run(retry.call_judged(AllPass, || ready(call()))))
            }),
        ),
        (
            "future, retry, breaker, time-out, bulkhead",
            Box::new(move || {
                let policy = policy.clone();
                repeat(move || run(policy.call_judged(AllPass, || ready(call()))))
            }),
        ),
        ("tower alone", layered(tower::layer::util::Identity::new())),
        ("tower, consecutive", layered(BreakerLayer::new(consecutive()).judged_by(ByResult))),
        ("tower, last 100 calls", layered(BreakerLayer::new(calls()).judged_by(ByResult))),
        ("tower, time window", layered(BreakerLayer::new(time()).judged_by(ByResult))),
        ("tower, time-out", layered(TimeoutLayer::new(timeout))),
        ("tower, bulkhead", layered(BulkheadLayer::new(bulkhead))),
        ("tower, throttle", layered(ThrottleLayer::new(throttle).judged_by(ByResult))),
        ("tower, rate limit", layered(RateLimitLayer::new(rate_limiter))),
        ("tower, retry", layered(RetryLayer::new(retry).judged_by(AllPass))),
    ]
}

fn future(breaker: Breaker) -> Box<dyn Fn() -> Work + Sync> {
    Box::new(move || {
        let breaker = breaker.clone();
        repeat(move || run(breaker.call(ready(call()))))
    })
}

type Ready = std::future::Ready<Result<u32, u32>>;

/// One service a thread, of the same policy.
fn layered<L>(layer: L) -> Box<dyn Fn() -> Work + Sync>
where
    L: Layer<tower::util::ServiceFn<fn(()) -> Ready>> + Sync + 'static,
    L::Service: Service<(), Response = u32> + Send + 'static,
{
    Box::new(move || {
        let inner: fn(()) -> Ready = |()| ready(call());
        let service = std::cell::RefCell::new(layer.layer(service_fn(inner)));
        repeat(move || {
            let mut service = service.borrow_mut();
            let mut context = Context::from_waker(Waker::noop());
            let is_ready = matches!(service.poll_ready(&mut context), Poll::Ready(Ok(())));
            is_ready && run(service.call(()))
        })
    })
}
