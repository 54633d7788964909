//! A second request where the first is late.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::classify::{ByError, Judge};
use crate::tokio::Hedge;

/// A [`Hedge`] around a service of requests that can be cloned and may be carried out twice. Errors
/// are the service's own.
#[derive(Debug, Clone)]
pub struct HedgeLayer<J = ByError> {
    hedge: Hedge,
    judge: J,
}

impl HedgeLayer {
    /// A layer of `hedge`.
    #[must_use]
    pub const fn new(hedge: Hedge) -> Self {
        Self { hedge, judge: ByError }
    }
}

impl<J> HedgeLayer<J> {
    /// The same, where `judge` tells refusals of one's own policies from other failures.
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> HedgeLayer<K> {
        HedgeLayer { hedge: self.hedge, judge }
    }
}

impl<S, J: Clone> Layer<S> for HedgeLayer<J> {
    type Service = HedgeService<S, J>;

    fn layer(&self, inner: S) -> Self::Service {
        HedgeService { inner, hedge: self.hedge.clone(), judge: self.judge.clone() }
    }
}

/// What [`HedgeLayer`] makes of a service.
#[derive(Debug, Clone)]
pub struct HedgeService<S, J = ByError> {
    inner: S,
    hedge: Hedge,
    judge: J,
}

/// The tries of a request, in a box: they are as many as it takes.
pub struct HedgeFuture<T, E>(Pin<Box<dyn Future<Output = Result<T, E>> + Send>>);

impl<T, E> core::fmt::Debug for HedgeFuture<T, E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HedgeFuture")
    }
}

impl<T, E> Future for HedgeFuture<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<S, J, R> Service<R> for HedgeService<S, J>
where
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
    R: Clone + Send + 'static,
    J: Judge<S::Response, S::Error> + Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = HedgeFuture<S::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let clone = self.inner.clone();
        // The one that is ready is called first; the others have to become so.
        let mut ready = Some(mem::replace(&mut self.inner, clone.clone()));
        let (hedge, judge) = (self.hedge.clone(), self.judge.clone());
        HedgeFuture(Box::pin(async move {
            let call = move || {
                let (ready, mut other, request) = (ready.take(), clone.clone(), request.clone());
                async move {
                    if let Some(mut ready) = ready {
                        return ready.call(request).await;
                    }
                    poll_fn(|cx| other.poll_ready(cx)).await?;
                    other.call(request).await
                }
            };
            hedge.call_judged(judge, call).await
        }))
    }
}
