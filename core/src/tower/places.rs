//! Places for requests, waited for in `poll_ready`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::coming::{Asked, Coming};
use crate::classify::{ByError, ByResult, Judge};
use crate::error::{Error, Rejected};
use crate::tokio::{AcquirePlace, Adaptive, Bulkhead, Place};

/// A [`Bulkhead`] around a service: ready when there is a place.
///
/// The place is held from then on, also while the inner service is not ready yet, and belongs to the
/// next call; a service that is dropped, or a call that ends or is dropped, gives it back.
#[derive(Debug, Clone)]
pub struct BulkheadLayer(Bulkhead);

impl BulkheadLayer {
    /// A layer of `bulkhead`.
    #[must_use]
    pub const fn new(bulkhead: Bulkhead) -> Self {
        Self(bulkhead)
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = PlaceService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PlaceService::new(inner, Limiter::Fixed(self.0.clone()), ByResult)
    }
}

/// An [`Adaptive`] limiter around a service: ready when there is a place, as for [`BulkheadLayer`].
///
/// It belongs around a [`TimeoutLayer`](super::TimeoutLayer), whose time-outs are failures to it; within
/// one it would take the requests whose time was up for cancelled ones, and go on as if nothing had been
/// slow.
#[derive(Debug, Clone)]
pub struct AdaptiveLayer<J = ByError> {
    limiter: Adaptive,
    judge: J,
}

impl AdaptiveLayer {
    /// A layer of `limiter`, for which an `Err` is a failure. Refusals by policies of this crate within
    /// are none, nor are time-outs whose timer was held up. For errors that are no
    /// [`Error`](std::error::Error) say [`judged_by`](Self::judged_by), with
    /// [`ByBoxedError`](crate::classify::ByBoxedError) (in an [`Inside`](crate::classify::Inside) for
    /// each layer of this crate within), or with [`ByResult`].
    #[must_use]
    pub const fn new(limiter: Adaptive) -> Self {
        Self { limiter, judge: ByError }
    }
}

impl<J> AdaptiveLayer<J> {
    /// The same, where `judge` says what an end of a call means.
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> AdaptiveLayer<K> {
        AdaptiveLayer { limiter: self.limiter, judge }
    }
}

impl<S, J: Clone> Layer<S> for AdaptiveLayer<J> {
    type Service = PlaceService<S, J>;

    fn layer(&self, inner: S) -> Self::Service {
        PlaceService::new(inner, Limiter::Adaptive(self.limiter.clone()), self.judge.clone())
    }
}

#[derive(Debug, Clone)]
enum Limiter {
    Fixed(Bulkhead),
    Adaptive(Adaptive),
}

impl Limiter {
    fn ask(&self) -> Asked<AcquirePlace, Place> {
        let free = match self {
            Self::Fixed(bulkhead) => bulkhead.at_once(),
            Self::Adaptive(adaptive) => adaptive.at_once(),
        };
        match (free, self) {
            (Some(place), _) => Asked::Here(Ok(place)),
            (None, Self::Fixed(bulkhead)) => Asked::Awaited(bulkhead.acquire()),
            (None, Self::Adaptive(adaptive)) => Asked::Awaited(adaptive.acquire()),
        }
    }

    fn try_acquire(&self) -> Result<Place, Rejected> {
        match self {
            Self::Fixed(bulkhead) => bulkhead.try_acquire(),
            Self::Adaptive(adaptive) => adaptive.try_acquire(),
        }
    }
}

/// What [`BulkheadLayer`] and [`AdaptiveLayer`] make of a service.
#[derive(Debug)]
pub struct PlaceService<S, J = ByResult> {
    inner: S,
    limiter: Limiter,
    judge: J,
    place: Coming<AcquirePlace, Place>,
}

impl<S, J> PlaceService<S, J> {
    const fn new(inner: S, limiter: Limiter, judge: J) -> Self {
        Self { inner, limiter, judge, place: Coming::new() }
    }
}

/// A clone is ready on its own: it has no part in the place of the original.
impl<S: Clone, J: Clone> Clone for PlaceService<S, J> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.limiter.clone(), self.judge.clone())
    }
}

impl<S, J, R> Service<R> for PlaceService<S, J>
where
    S: Service<R>,
    J: Judge<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = PlaceFuture<S::Future, J>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let Self { inner, limiter, place, .. } = self;
        let polled = place.poll(cx, || limiter.ask(), |cx| inner.poll_ready(cx));
        if matches!(polled, Poll::Ready(Err(_))) {
            drop(place.take());
        }
        polled
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        let judge = self.judge.clone();
        match self.place.take().unwrap_or_else(|| self.limiter.try_acquire()) {
            Ok(place) => {
                let future = Some(self.inner.call(request));
                PlaceFuture { future, judge, place: Some(place), refused: None }
            }
            Err(rejected) => {
                PlaceFuture { future: None, judge, place: None, refused: Some(rejected) }
            }
        }
    }
}

pin_project! {
    /// A call in its place.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct PlaceFuture<F, J> {
        #[pin]
        future: Option<F>,
        judge: J,
        place: Option<Place>,
        refused: Option<Rejected>,
    }
}

impl<F, J, T, E> Future for PlaceFuture<F, J>
where
    F: Future<Output = Result<T, E>>,
    J: Judge<T, E>,
{
    type Output = Result<T, Error<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(rejected) = this.refused.take() {
            return Poll::Ready(Err(rejected.into()));
        }
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        let result = ready!(future.poll(cx));
        if let Some(place) = this.place.take() {
            place.settle(this.judge.judge(result.as_ref()));
        }
        Poll::Ready(result.map_err(Error::Failed))
    }
}
