//! So many requests in a while, waited for in `poll_ready`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::coming::{Asked, Coming};
use crate::error::{Error, Rejected};
use crate::tokio::{AcquireRate, RateLimiter};

/// A [`RateLimiter`] around a service: ready when there is a permit.
///
/// The permit belongs to the next call. A service that is dropped when it was ready has used it.
#[derive(Debug, Clone)]
pub struct RateLimitLayer(RateLimiter);

impl RateLimitLayer {
    /// A layer of `limiter`.
    #[must_use]
    pub const fn new(limiter: RateLimiter) -> Self {
        Self(limiter)
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimitService { inner, limiter: self.0.clone(), permit: Coming::new() }
    }
}

/// What [`RateLimitLayer`] makes of a service.
#[derive(Debug)]
pub struct RateLimitService<S> {
    inner: S,
    limiter: RateLimiter,
    permit: Coming<AcquireRate, ()>,
}

/// A clone is ready on its own: it has no part in the permit of the original.
impl<S: Clone> Clone for RateLimitService<S> {
    fn clone(&self) -> Self {
        let (inner, limiter) = (self.inner.clone(), self.limiter.clone());
        Self { inner, limiter, permit: Coming::new() }
    }
}

impl<S, R> Service<R> for RateLimitService<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = RateLimitFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let Self { inner, limiter, permit } = self;
        let ask = || match limiter.ask() {
            Ok(None) => Asked::Here(Ok(())),
            Ok(Some(coming)) => Asked::Awaited(coming),
            Err(rejected) => Asked::Here(Err(rejected)),
        };
        permit.poll(cx, ask, |cx| inner.poll_ready(cx))
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        match self.permit.take().unwrap_or_else(|| self.limiter.try_acquire()) {
            Ok(()) => RateLimitFuture { future: Some(self.inner.call(request)), refused: None },
            Err(rejected) => RateLimitFuture { future: None, refused: Some(rejected) },
        }
    }
}

pin_project! {
    /// A call that had its permit, or the refusal.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct RateLimitFuture<F> {
        #[pin]
        future: Option<F>,
        refused: Option<Rejected>,
    }
}

impl<F, T, E> Future for RateLimitFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, Error<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(rejected) = this.refused.take() {
            return Poll::Ready(Err(rejected.into()));
        }
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        future.poll(cx).map_err(Error::Failed)
    }
}
