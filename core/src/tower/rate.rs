//! So many requests in a while, waited for in `poll_ready`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

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
        RateLimitService { inner, limiter: self.0.clone(), coming: None, come: None }
    }
}

/// What [`RateLimitLayer`] makes of a service.
#[derive(Debug)]
pub struct RateLimitService<S> {
    inner: S,
    limiter: RateLimiter,
    /// A permit that is waited for, in a box that is used again.
    coming: Option<Pin<Box<Option<AcquireRate>>>>,
    come: Option<Result<(), Rejected>>,
}

/// A clone is ready on its own: it has no part in the permit of the original.
impl<S: Clone> Clone for RateLimitService<S> {
    fn clone(&self) -> Self {
        let (inner, limiter) = (self.inner.clone(), self.limiter.clone());
        Self { inner, limiter, coming: None, come: None }
    }
}

impl<S, R> Service<R> for RateLimitService<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = RateLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.come.is_none() {
            let coming = self.coming.get_or_insert_with(|| Box::pin(None));
            if coming.is_none() {
                coming.set(Some(self.limiter.acquire()));
            }
            if let Some(future) = coming.as_mut().as_pin_mut() {
                self.come = Some(ready!(future.poll(cx)));
            }
            coming.set(None);
        }
        if let Some(Err(_)) = self.come {
            // The call answers it, and the inner service is not called.
            return Poll::Ready(Ok(()));
        }
        self.inner.poll_ready(cx).map_err(Error::Failed)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match self.come.take().unwrap_or_else(|| self.limiter.try_acquire()) {
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(rejected) = this.refused.take() {
            return Poll::Ready(Err(rejected.into()));
        }
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        future.poll(cx).map_err(Error::Failed)
    }
}
