//! A circuit breaker around a service.

use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::breaker::Rejection;
use crate::classify::{ByError, Judge};
use crate::error::Error;
use crate::tokio::{Breaker, BreakerCall, Waiting};

/// A [`Breaker`] around a service. A call costs no allocation.
///
/// Asked while it is open it is ready, whether or not the service is: the next call is refused rather
/// than wait for a service that hangs, also where it comes when the breaker has closed again. Who waits
/// for the service already when a call through this [`Breaker`] or a clone opens it is woken and refused
/// as well; where it is opened by hand or by another user of its circuit, when it is asked next by
/// anybody. A service whose call was refused keeps what the inner one has
/// reserved for its next call, such as a place of a bulkhead: drop it, or call it again.
#[derive(Debug, Clone)]
pub struct BreakerLayer<J = ByError> {
    breaker: Breaker,
    judge: J,
}

impl BreakerLayer {
    /// A layer of `breaker`, for which an `Err` is a failure. Refusals by policies of this crate within are
    /// none, as full places say nothing of the other side, nor are time-outs whose timer was held up.
    /// For errors that are no [`Error`](std::error::Error) say [`judged_by`](Self::judged_by), with
    /// [`ByBoxedError`](crate::classify::ByBoxedError) (in an [`Inside`](crate::classify::Inside) for
    /// each layer of this crate within), or with [`ByResult`](crate::classify::ByResult).
    #[must_use]
    pub const fn new(breaker: Breaker) -> Self {
        Self { breaker, judge: ByError }
    }
}

impl<J> BreakerLayer<J> {
    /// The same, where `judge` says what an end of a call means, such as
    /// [`ByResponse`](crate::classify::ByResponse) for HTTP.
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> BreakerLayer<K> {
        BreakerLayer { breaker: self.breaker, judge }
    }
}

impl<S, J: Clone> Layer<S> for BreakerLayer<J> {
    type Service = BreakerService<S, J>;

    fn layer(&self, inner: S) -> Self::Service {
        BreakerService::new(inner, self.breaker.clone(), self.judge.clone())
    }
}

/// What [`BreakerLayer`] makes of a service.
#[derive(Debug)]
pub struct BreakerService<S, J = ByError> {
    inner: S,
    breaker: Breaker,
    judge: J,
    /// Why it is ready although the service may not be.
    refusal: Option<Rejection>,
    /// While the service is not ready.
    waiting: Option<Waiting>,
}

impl<S, J> BreakerService<S, J> {
    const fn new(inner: S, breaker: Breaker, judge: J) -> Self {
        Self { inner, breaker, judge, refusal: None, waiting: None }
    }

    #[cold]
    fn is_refused(&mut self) -> bool {
        self.refusal = self.breaker.refusal();
        if self.refusal.is_some() {
            self.wait_no_more();
        }
        self.refusal.is_some()
    }

    /// Ready where there is a refusal by now, or else as soon as there is.
    #[cold]
    fn wait(&mut self, cx: &Context<'_>) -> Poll<()> {
        let waiting = self.waiting.get_or_insert_with(|| Waiting::new(&self.breaker));
        if waiting.is_refused(cx.waker()) && self.is_refused() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    #[cold]
    fn wait_no_more(&mut self) {
        self.waiting = None;
    }
}

/// A clone is ready on its own.
impl<S: Clone, J: Clone> Clone for BreakerService<S, J> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.breaker.clone(), self.judge.clone())
    }
}

impl<S, J, R> Service<R> for BreakerService<S, J>
where
    S: Service<R>,
    J: Judge<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = BreakerCall<Breaker, S::Future, J>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if (self.breaker.refuses() || self.refusal.is_some()) && self.is_refused() {
            return Poll::Ready(Ok(()));
        }
        let ready = self.inner.poll_ready(cx);
        if ready.is_pending() {
            return self.wait(cx).map(Ok);
        }
        if self.waiting.is_some() {
            self.wait_no_more();
        }
        ready.map_err(Error::Failed)
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        let (policy, judge) = (self.breaker.clone(), self.judge.clone());
        BreakerCall::begin(policy, judge, &mut self.refusal, || self.inner.call(request))
    }
}
