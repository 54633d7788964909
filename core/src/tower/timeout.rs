//! Time-outs of requests.

use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::classify::{ByResult, Judge};
use crate::error::Error;
use crate::tokio::{Timeout, TimeoutCall};

/// A [`Timeout`] around a service. The judge says which ends are successes, whose latencies count.
///
/// The time begins with the call: waiting until the service is ready is no part of it. A request whose
/// time is up is dropped, which to layers within means that it was cancelled; what is to learn of it, a
/// breaker or an [`AdaptiveLayer`](super::AdaptiveLayer), belongs around this one.
#[derive(Debug, Clone)]
pub struct TimeoutLayer<J = ByResult> {
    timeout: Timeout,
    judge: J,
}

impl TimeoutLayer {
    /// A layer of `timeout`, for which an `Err` is a failure.
    #[must_use]
    pub const fn new(timeout: Timeout) -> Self {
        Self { timeout, judge: ByResult }
    }
}

impl<J> TimeoutLayer<J> {
    /// The same, where `judge` says what an end of a call means, such as
    /// [`ByResponse`](crate::classify::ByResponse) for HTTP.
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> TimeoutLayer<K> {
        TimeoutLayer { timeout: self.timeout, judge }
    }
}

impl<S, J: Clone> Layer<S> for TimeoutLayer<J> {
    type Service = TimeoutService<S, J>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeoutService { inner, timeout: self.timeout.clone(), judge: self.judge.clone() }
    }
}

/// What [`TimeoutLayer`] makes of a service.
#[derive(Debug, Clone)]
pub struct TimeoutService<S, J = ByResult> {
    inner: S,
    timeout: Timeout,
    judge: J,
}

impl<S, J, R> Service<R> for TimeoutService<S, J>
where
    S: Service<R>,
    J: Judge<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = TimeoutCall<Timeout, S::Future, J>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Failed)
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        let future = self.inner.call(request);
        TimeoutCall::new(self.timeout.clone(), future, self.judge.clone(), None, None)
    }
}
