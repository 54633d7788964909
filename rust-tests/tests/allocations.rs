//! What a call allocates: nothing, where it says so.
#![cfg(not(loom))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use seawall::breaker::{BreakerConfig, RateRule, TripRule, Window};
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::limit::throttle::ThrottleConfig;
use seawall::timeout::TimeoutConfig;
use seawall::tokio::{Breaker, Bulkhead, Throttle, Timeout};
use seawall::tower::{BreakerLayer, BulkheadLayer, ThrottleLayer, TimeoutLayer};
use tower::{Layer as _, Service, service_fn};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

fn inner() -> impl Service<
    u32,
    Response = u32,
    Error = Infallible,
    Future = std::future::Ready<Result<u32, Infallible>>,
> {
    service_fn(|number| ready(Ok(number)))
}

/// What a hundred calls allocate, after some to warm up.
fn of_calls<S: Service<u32, Response = u32>>(mut service: S) -> u64 {
    let mut call = || {
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(service.poll_ready(&mut context), Poll::Ready(Ok(()))));
        assert!(matches!(now(service.call(7)), Ok(7)));
    };
    (0..50).for_each(|_| call());
    allocations(|| (0..100).for_each(|_| call()))
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn calls_through_layers_allocate_nothing() {
    let rate = TripRule::Rate(RateRule {
        window: Window::Calls(100),
        minimum_calls: 20,
        failure_rate: Some(0.5),
        slow: None,
    });
    for trip in [TripRule::Consecutive(5), rate] {
        let breaker = Breaker::new(BreakerConfig { trip, ..BreakerConfig::default() }).unwrap();
        assert_eq!(of_calls(BreakerLayer::new(breaker).layer(inner())), 0);
    }
    let bulkhead = Bulkhead::new(BulkheadConfig::new(1)).unwrap();
    assert_eq!(of_calls(BulkheadLayer::new(bulkhead).layer(inner())), 0);
    let throttle = Throttle::new(ThrottleConfig::default()).unwrap();
    assert_eq!(of_calls(ThrottleLayer::new(throttle).layer(inner())), 0);
    let timeout = Timeout::new(TimeoutConfig::fixed(std::time::Duration::from_secs(1))).unwrap();
    assert_eq!(of_calls(TimeoutLayer::new(timeout).layer(inner())), 0);
}

#[test]
fn calls_of_futures_allocate_nothing() {
    let breaker = Breaker::new(BreakerConfig::default()).unwrap();
    let call = || assert_eq!(now(breaker.call(ready(Ok::<_, ()>(1)))), Ok(1));
    assert_eq!(allocations(|| (0..100).for_each(|_| call())), 0);
    breaker.circuit().force_open(seawall::tokio::now(), 0.0);
    let call = || assert!(now(breaker.call(ready(Ok::<_, ()>(1)))).is_err());
    call();
    // Events of `metrics` are told with the name in a string of their own.
    let told = allocations(|| (0..100).for_each(|_| call()));
    assert!(told <= 300, "{told}");
}
