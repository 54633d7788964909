//! Repeating requests that failed.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::http::{HeaderName, Request};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::classify::{ByError, ByResponse, Judge, Judged, Processed, is_idempotent};
use crate::tokio::{Retry, Tries};

/// Whether a request may be carried out twice.
pub trait Repeats<R> {
    /// Whether this one may; if not, it is sent again only where it was surely not processed.
    fn may_be_carried_out_twice(&self, request: &R) -> bool;
}

/// Requests may be carried out twice as [`RetryConfig::idempotent`] says, all alike.
///
/// [`RetryConfig::idempotent`]: crate::retry::RetryConfig::idempotent
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByConfig;

impl<R> Repeats<R> for ByConfig {
    fn may_be_carried_out_twice(&self, _request: &R) -> bool {
        true
    }
}

/// HTTP requests may be carried out twice if their method is idempotent, or if they have an
/// `Idempotency-Key`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByMethod;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl<B> Repeats<Request<B>> for ByMethod {
    fn may_be_carried_out_twice(&self, request: &Request<B>) -> bool {
        is_idempotent(request.method().as_str()) || request.headers().contains_key(KEY)
    }
}

impl<R, F: Fn(&R) -> bool> Repeats<R> for F {
    fn may_be_carried_out_twice(&self, request: &R) -> bool {
        self(request)
    }
}

/// A [`Retry`] around a service of requests that can be cloned. Errors are the service's own.
///
/// Each repetition waits until the service is ready again.
#[derive(Debug, Clone)]
pub struct RetryLayer<J = ByError, I = ByConfig> {
    retry: Retry,
    judge: J,
    repeats: I,
}

impl RetryLayer {
    /// A layer that repeats after errors that may pass, see
    /// [`classify_error`](crate::classify::classify_error).
    #[must_use]
    pub const fn new(retry: Retry) -> Self {
        Self { retry, judge: ByError, repeats: ByConfig }
    }
}

impl RetryLayer<ByResponse, ByMethod> {
    /// A layer for HTTP: statuses and errors that may pass, `Retry-After` kept, and requests that are
    /// not idempotent sent again only where they were surely not processed.
    #[must_use]
    pub const fn http(retry: Retry) -> Self {
        Self { retry, judge: ByResponse, repeats: ByMethod }
    }
}

impl<J, I> RetryLayer<J, I> {
    /// The same, where `judge` says what an end of a try means.
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> RetryLayer<K, I> {
        RetryLayer { retry: self.retry, judge, repeats: self.repeats }
    }

    /// The same, where `repeats` says which requests may be carried out twice.
    #[must_use]
    pub fn repeating<K>(self, repeats: K) -> RetryLayer<J, K> {
        RetryLayer { retry: self.retry, judge: self.judge, repeats }
    }
}

impl<S, J: Clone, I: Clone> Layer<S> for RetryLayer<J, I> {
    type Service = RetryService<S, J, I>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { retry, judge, repeats } = self.clone();
        RetryService { inner, retry, judge, repeats }
    }
}

/// What [`RetryLayer`] makes of a service.
#[derive(Debug, Clone)]
pub struct RetryService<S, J = ByError, I = ByConfig> {
    inner: S,
    retry: Retry,
    judge: J,
    repeats: I,
}

impl<S, J, I, R> Service<R> for RetryService<S, J, I>
where
    S: Service<R> + Clone,
    R: Clone,
    J: Judge<S::Response, S::Error> + Clone,
    I: Repeats<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RetryFuture<S, R, J>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        let clone = self.inner.clone();
        // The one that is ready is called.
        let mut service = mem::replace(&mut self.inner, clone);
        let mut tries = Tries::new(self.retry.clone(), None);
        tries.begin();
        let twice = self.repeats.may_be_carried_out_twice(&request);
        let future = service.call(request.clone());
        let judge = self.judge.clone();
        RetryFuture { service, request, judge, twice, tries, step: Step::Trying { future } }
    }
}

pin_project! {
    #[project = StepProjection]
    #[derive(Debug)]
    enum Step<F> {
        Trying { #[pin] future: F },
        Waiting,
        Readying,
    }
}

pin_project! {
    /// The tries of a request.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryFuture<S, R, J>
    where
        S: Service<R>,
    {
        service: S,
        request: R,
        judge: J,
        twice: bool,
        tries: Tries<Retry>,
        #[pin]
        step: Step<S::Future>,
    }
}

impl<S, R, J> Future for RetryFuture<S, R, J>
where
    S: Service<R>,
    R: Clone,
    J: Judge<S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.step.as_mut().project() {
                StepProjection::Trying { future } => {
                    let result = ready!(future.poll(cx));
                    let judged = this.judge.judge(result.as_ref());
                    match this.tries.again(judged, wanted(judged, *this.twice)) {
                        Some(wait) => {
                            this.tries.wait(wait);
                            Step::Waiting
                        }
                        None => return Poll::Ready(result),
                    }
                }
                StepProjection::Waiting => {
                    ready!(this.tries.poll_wait(cx));
                    Step::Readying
                }
                StepProjection::Readying => {
                    if let Err(error) = ready!(this.service.poll_ready(cx)) {
                        return Poll::Ready(Err(error));
                    }
                    Step::Trying { future: this.service.call(this.request.clone()) }
                }
            };
            this.step.set(next);
        }
    }
}

/// The word on a failure of a request that may not be carried out twice.
fn wanted(judged: Judged, twice: bool) -> Option<bool> {
    match judged {
        Judged::Failure(verdict) if !twice => {
            let unprocessed = verdict.is_some_and(|it| it.processed == Processed::No);
            if unprocessed { None } else { Some(false) }
        }
        _ => None,
    }
}
