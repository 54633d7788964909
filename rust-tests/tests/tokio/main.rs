//! The policies as futures, on a paused clock.
#![cfg(not(loom))]
#![allow(missing_docs, reason = "tests")]

mod answers;
mod breaker;
mod cancel;
mod deadline;
mod events;
mod hedge;
mod places;
mod policy;
mod rate;
mod reentry;
mod retry;
mod timeout;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A call that takes so long.
pub async fn takes(time: u64) -> io::Result<u64> {
    tokio::time::sleep(ms(time)).await;
    Ok(time)
}

/// A call that fails in a way that may pass.
pub async fn fails() -> io::Result<u64> {
    Err(io::ErrorKind::ConnectionRefused.into())
}

/// A future that is dropped when it would be polled once more than `polls` times; `None` then.
pub struct Cut<F> {
    pub future: Option<Pin<Box<F>>>,
    pub polls: u32,
}

pub fn cut<F: Future>(polls: u32, future: F) -> Cut<F> {
    Cut { future: Some(Box::pin(future)), polls }
}

impl<F: Future> Future for Cut<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.polls == 0 {
            this.future = None;
            return Poll::Ready(None);
        }
        this.polls -= 1;
        let Some(future) = &mut this.future else { return Poll::Ready(None) };
        match future.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => {
                if this.polls == 0 {
                    this.future = None;
                    return Poll::Ready(None);
                }
                Poll::Pending
            }
        }
    }
}

/// Lets `subscriber` hear what this thread tells of, until what is answered is dropped.
///
/// There are two of it: a place in the code that a thread without any meets first would be taken for
/// one that nobody listens to, if there were only one.
pub fn heard_by<S>(subscriber: S) -> (tracing::subscriber::DefaultGuard, tracing::Dispatch)
where
    S: tracing::Subscriber + Clone + Send + Sync + 'static,
{
    let second = tracing::Dispatch::new(subscriber.clone());
    (tracing::subscriber::set_default(subscriber), second)
}

/// What one poll of a future says.
pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(std::task::Waker::noop()))
}
