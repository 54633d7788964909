//! Services that hang or are never ready, judges that panic.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use seawall::breaker::State;
use seawall::classify::Judged;
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
