//! Services that hang or are never ready, judges that panic.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use seawall::breaker::{BreakerConfig, RateRule, State, TripRule, Window};
use seawall::classify::Judged;
use seawall::tokio::Breaker;
use seawall::tower::BreakerLayer;
use tower::{Layer as _, Service, service_fn};

use crate::{breaker, ms, poll};

/// Ready when it is told so, and offended by calls before that.
#[derive(Clone)]
struct Picky {
    ready: Rc<Cell<bool>>,
    asked: Rc<Cell<u32>>,
}

impl Picky {
    fn new() -> Self {
        Self { ready: Rc::default(), asked: Rc::default() }
    }
}

impl Service<()> for Picky {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.asked.set(self.asked.get() + 1);
        if self.ready.get() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(self.ready.get(), "called without being ready");
        ready(Ok(()))
    }
}

fn poll_ready<S: Service<()>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_refuses_while_the_service_is_never_ready() {
    let (breaker, inner) = (breaker(), Picky::new());
    let mut service = BreakerLayer::new(breaker.clone()).layer(inner.clone());
    assert!(poll_ready(&mut service).is_pending(), "closed, it is as ready as the service");
    breaker.circuit().force_open(seawall::tokio::now(), 0.0);
    for refused in 1..=3 {
        assert!(poll_ready(&mut service).is_ready());
        assert!(service.call(()).await.unwrap_err().rejected().is_some());
        let totals = breaker.circuit().explain(seawall::tokio::now()).totals;
        assert_eq!(totals.rejected, refused);
    }
    assert_eq!(inner.asked.get(), 1);
    // Asked for again and again, readiness is no call.
    (0..10).for_each(|_| assert!(poll_ready(&mut service).is_ready()));
    assert_eq!(breaker.circuit().explain(seawall::tokio::now()).totals.rejected, 3);
}

#[tokio::test(start_paused = true)]
async fn an_isolated_breaker_refuses_while_the_service_is_never_ready() {
    let breaker = breaker();
    let mut service = BreakerLayer::new(breaker.clone()).layer(Picky::new());
    breaker.circuit().isolate(seawall::tokio::now());
    assert!(poll_ready(&mut service).is_ready());
    let refusal = service.call(()).await.unwrap_err();
    assert_eq!(refusal.rejected().map(|refused| refused.retry_after), Some(None));
    assert_eq!(breaker.circuit().explain(seawall::tokio::now()).totals.rejected, 1);
    breaker.circuit().release(seawall::tokio::now());
    assert!(poll_ready(&mut service).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_was_ready_is_kept_when_the_breaker_would_let_the_call_through_by_now() {
    let (breaker, inner) = (breaker(), Picky::new());
    let mut service = BreakerLayer::new(breaker.clone()).layer(inner.clone());
    breaker.circuit().force_open(seawall::tokio::now(), 0.0);
    assert!(poll_ready(&mut service).is_ready());
    let mut clone = service.clone();
    tokio::time::advance(ms(1_001)).await;
    assert!(poll_ready(&mut clone).is_pending(), "a clone has no part in it");
    // The service was not ready, so it must not be called.
    assert!(service.call(()).await.unwrap_err().rejected().is_some());
    assert!(poll_ready(&mut service).is_pending());
    inner.ready.set(true);
    assert!(poll_ready(&mut service).is_ready());
    assert!(service.call(()).await.is_ok());
    assert_eq!(breaker.state(), State::Closed);
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn poll_ready<S: Service<()>>(self: &Arc<Self>, service: &mut S) -> Poll<Result<(), S::Error>> {
        service.poll_ready(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    fn times(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_service_is_woken_and_refused_when_a_call_opens_the_breaker() {
    let (breaker, inner) = (breaker(), Picky::new());
    let layer = BreakerLayer::new(breaker.clone());
    let (mut one, mut two) = (layer.layer(inner.clone()), layer.layer(inner.clone()));
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    assert!(first.poll_ready(&mut one).is_pending() && second.poll_ready(&mut two).is_pending());
    let mut gone = layer.layer(inner.clone());
    let nobody = Arc::new(Woken::default());
    assert!(nobody.poll_ready(&mut gone).is_pending());
    drop(gone);
    assert!(breaker.call(ready(Ok::<_, ()>(()))).await.is_ok());
    assert_eq!(first.times(), 0, "nothing has changed");

    let down = breaker.call(ready(Err::<(), _>("down")));
    assert!(down.await.is_err());
    assert_eq!((first.times(), second.times(), nobody.times()), (1, 1, 0));
    for service in [&mut one, &mut two] {
        assert!(poll_ready(service).is_ready());
        assert!(service.call(()).await.unwrap_err().rejected().is_some());
    }
    assert_eq!(inner.asked.get(), 3, "the service itself was not asked again");

    // A probe that fails opens it again.
    tokio::time::advance(ms(1_001)).await;
    assert!(first.poll_ready(&mut one).is_pending(), "the call may be a probe");
    assert!(breaker.call(ready(Err::<(), _>("down"))).await.is_err());
    assert_eq!(first.times(), 2);
    assert!(first.poll_ready(&mut one).is_ready());
}

/// The rate may be above its limit before there are calls enough, or because good ones are too old.
#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_when_a_good_call_opens_the_breaker() {
    let time = Window::Time { span: ms(10_000), slices: 10 };
    for (window, minimum_calls, good) in [(Window::Calls(10), 2, 0), (time, 2, 3)] {
        let rule = RateRule { window, minimum_calls, failure_rate: Some(0.5), slow: None };
        let config = BreakerConfig { trip: TripRule::Rate(rule), ..BreakerConfig::default() };
        let breaker = Breaker::new(config).unwrap();
        let works = || breaker.call(ready(Ok::<_, ()>(())));
        for _ in 0..good {
            assert!(works().await.is_ok());
        }
        if good > 0 {
            tokio::time::advance(ms(6_000)).await;
        }
        let mut service = BreakerLayer::new(breaker.clone()).layer(Picky::new());
        let woken = Arc::new(Woken::default());
        assert!(woken.poll_ready(&mut service).is_pending());
        for _ in 0..(if good > 0 { 2 } else { 1 }) {
            assert!(breaker.call(ready(Err::<(), _>("down"))).await.is_err());
        }
        assert_eq!((breaker.state(), woken.times()), (State::Closed, 0), "{window:?}");
        if good > 0 {
            tokio::time::advance(ms(6_000)).await;
        }
        assert!(works().await.is_ok());
        assert_eq!((breaker.state(), woken.times()), (State::Open, 1), "{window:?}");
        assert!(woken.poll_ready(&mut service).is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_when_anybody_meets_a_breaker_that_was_opened_by_hand() {
    let (breaker, woken) = (breaker(), Arc::new(Woken::default()));
    let layer = BreakerLayer::new(breaker.clone());
    for by_layer in [false, true] {
        let mut waits = layer.layer(Picky::new());
        let before = woken.times();
        assert!(woken.poll_ready(&mut waits).is_pending());
        breaker.circuit().isolate(seawall::tokio::now());
        assert_eq!(woken.times(), before);
        if by_layer {
            assert!(poll_ready(&mut layer.layer(Picky::new())).is_ready());
        } else {
            assert!(breaker.call(ready(Ok::<_, ()>(()))).await.is_err());
        }
        assert_eq!(woken.times(), before + 1);
        assert!(woken.poll_ready(&mut waits).is_ready());
        breaker.circuit().release(seawall::tokio::now());
    }
}

/// One that becomes ready is not woken for what it did not wait for.
#[tokio::test(start_paused = true)]
async fn who_does_not_wait_any_more_is_not_woken() {
    let (breaker, inner, woken) = (breaker(), Picky::new(), Arc::new(Woken::default()));
    let mut service = BreakerLayer::new(breaker.clone()).layer(inner.clone());
    assert!(woken.poll_ready(&mut service).is_pending());
    inner.ready.set(true);
    assert!(woken.poll_ready(&mut service).is_ready());
    assert!(breaker.call(ready(Err::<(), _>("down"))).await.is_err());
    assert_eq!((woken.times(), Arc::strong_count(&woken)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_panics_gives_the_probe_back() {
    let breaker = breaker();
    breaker.circuit().force_open(seawall::tokio::now(), 0.0);
    tokio::time::advance(ms(1_001)).await;
    let panics = Cell::new(true);
    let judge = |result: Result<&(), &Infallible>| {
        assert!(!panics.get(), "as it should");
        if result.is_ok() { Judged::Success } else { Judged::Failure(None) }
    };
    let works = service_fn(|(): ()| ready(Ok::<_, Infallible>(())));
    let mut service = BreakerLayer::new(breaker.clone()).judged_by(&judge).layer(works);
    let mut probe = Box::pin(service.call(()));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(probe.as_mut()))).is_err());
    drop(probe);
    panics.set(false);
    assert!(service.call(()).await.is_ok());
    assert_eq!(breaker.state(), State::Closed);
}
