//! Holding requests back while others fail.

use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::classify::{ByError, Judge};
use crate::error::Error;
use crate::tokio::{Throttle, ThrottleCall};

/// A [`Throttle`] around a service.
#[derive(Debug, Clone)]
pub struct ThrottleLayer<J = ByError> {
    throttle: Throttle,
    judge: J,
}

impl ThrottleLayer {
    /// A layer of `throttle`, for which an `Err` is a failure. Refusals by policies of this crate within are
    /// none, as full places say nothing of the other side, nor are time-outs whose timer was held up.
    /// For errors that are no [`Error`](std::error::Error) say [`judged_by`](Self::judged_by), with
    /// [`ByBoxedError`](crate::classify::ByBoxedError) (in an [`Inside`](crate::classify::Inside) for
    /// each layer of this crate within), or with [`ByResult`](crate::classify::ByResult).
    #[must_use]
    pub const fn new(throttle: Throttle) -> Self {
        Self { throttle, judge: ByError }
    }
}

impl<J> ThrottleLayer<J> {
    /// The same, where `judge` says what an end of a call means, such as
    /// [`ByResponse`](crate::classify::ByResponse) for HTTP.
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> ThrottleLayer<K> {
        ThrottleLayer { throttle: self.throttle, judge }
    }
}

impl<S, J: Clone> Layer<S> for ThrottleLayer<J> {
    type Service = ThrottleService<S, J>;

    fn layer(&self, inner: S) -> Self::Service {
        ThrottleService { inner, throttle: self.throttle.clone(), judge: self.judge.clone() }
    }
}

/// What [`ThrottleLayer`] makes of a service.
#[derive(Debug, Clone)]
pub struct ThrottleService<S, J = ByError> {
    inner: S,
    throttle: Throttle,
    judge: J,
}

impl<S, J, R> Service<R> for ThrottleService<S, J>
where
    S: Service<R>,
    J: Judge<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ThrottleCall<Throttle, S::Future, J>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Failed)
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        let (policy, judge) = (self.throttle.clone(), self.judge.clone());
        ThrottleCall::begin(policy, judge, || self.inner.call(request))
    }
}
