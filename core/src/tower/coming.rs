//! Leave for the next call, waited for in `poll_ready`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::{Error, Rejected};

/// What asking for leave has led to.
pub(super) enum Asked<F, P> {
    Here(Result<P, Rejected>),
    Awaited(F),
}

/// Leave that has come or is to come, and belongs to the next call.
#[derive(Debug)]
pub(super) struct Coming<F, P> {
    /// What is waited for, in a box that is used again.
    coming: Option<Pin<Box<Option<F>>>>,
    come: Option<Result<P, Rejected>>,
}

impl<F, P> Coming<F, P>
where
    F: Future<Output = Result<P, Rejected>>,
{
    pub(super) const fn new() -> Self {
        Self { coming: None, come: None }
    }

    /// Ready when there is leave, or a refusal. A refusal is no end of the service: the call answers
    /// it, and the inner service need not be ready for that.
    #[inline]
    pub(super) fn poll<E>(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl FnOnce() -> Asked<F, P>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<Result<(), E>>,
    ) -> Poll<Result<(), Error<E>>> {
        if self.come.is_none() {
            let waits = self.coming.as_ref().is_some_and(|coming| coming.is_some());
            match if waits { None } else { Some(ask()) } {
                Some(Asked::Here(come)) => self.come = Some(come),
                Some(Asked::Awaited(future)) => ready!(self.wait(cx, Some(future))),
                None => ready!(self.wait(cx, None)),
            }
        }
        match self.come {
            Some(Err(_)) => Poll::Ready(Ok(())),
            _ => inner(cx).map_err(Error::Failed),
        }
    }

    #[inline(never)]
    fn wait(&mut self, cx: &mut Context<'_>, new: Option<F>) -> Poll<()> {
        let coming = self.coming.get_or_insert_with(|| Box::pin(None));
        if new.is_some() {
            coming.set(new);
        }
        if let Some(future) = coming.as_mut().as_pin_mut() {
            self.come = Some(ready!(future.poll(cx)));
        }
        coming.set(None);
        Poll::Ready(())
    }

    /// What has come, for a call.
    #[inline]
    pub(super) const fn take(&mut self) -> Option<Result<P, Rejected>> {
        self.come.take()
    }
}
