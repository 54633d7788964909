//! What the end of a call means to the policies around it.

use core::time::Duration;

use super::verdict::{Processed, Scope, Verdict};
use crate::error::Error;

/// What the end of a call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Judged {
    /// It did what it was called for.
    Success,
    /// It failed, and speaks against the other side. `None`: nobody knows what the failure means,
    /// so it is not repeated.
    Failure(Option<Verdict>),
    /// A policy of one's own refused it, and may let it through after this time: nothing was
    /// carried out, and nothing is said of the other side.
    Refused(Option<Duration>),
    /// It says nothing of the other side: cancelled, or of no concern.
    Neutral,
}

impl Judged {
    /// A failure that may pass by itself and may have been carried out: what most failures of a
    /// network are.
    pub const PASSING: Self = Self::Failure(Some(Verdict {
        transient: true,
        processed: Processed::Maybe,
        scope: Scope::Request,
        throttled: false,
        retry_after: None,
    }));
}

/// Judges the ends of calls. Any `Fn(Result<&T, &E>) -> Judged` does, and so do the rules here.
pub trait Judge<T, E> {
    /// What this end of a call means.
    fn judge(&self, result: Result<&T, &E>) -> Judged;
}

impl<T, E, F: Fn(Result<&T, &E>) -> Judged> Judge<T, E> for F {
    fn judge(&self, result: Result<&T, &E>) -> Judged {
        self(result)
    }
}

/// `Ok` is a success, and any `Err` a failure of which nothing more is known: enough for a breaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByResult;

impl<T, E> Judge<T, E> for ByResult {
    fn judge(&self, result: Result<&T, &E>) -> Judged {
        if result.is_ok() { Judged::Success } else { Judged::Failure(None) }
    }
}

/// `Ok` is a success, and any `Err` a failure that may pass: for calls that may be repeated whatever
/// went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AllPass;

impl<T, E> Judge<T, E> for AllPass {
    fn judge(&self, result: Result<&T, &E>) -> Judged {
        if result.is_ok() { Judged::Success } else { Judged::PASSING }
    }
}

/// `Ok` is a success, and an `Err` what [`classify_error`](super::classify_error) finds in it and in
/// its sources; refusals and time-outs of the policies of this crate are known wherever they stand.
#[cfg(feature = "std")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByError;

#[cfg(feature = "std")]
impl<T, E: core::error::Error + 'static> Judge<T, E> for ByError {
    fn judge(&self, result: Result<&T, &E>) -> Judged {
        result.err().map_or(Judged::Success, |error| super::standard::judge_error(error))
    }
}

/// [`ByError`] for errors in a box, such as those of tower's middleware.
#[cfg(feature = "std")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByBoxedError;

#[cfg(feature = "std")]
impl<T> Judge<T, alloc::boxed::Box<dyn core::error::Error + Send + Sync>> for ByBoxedError {
    fn judge(
        &self,
        result: Result<&T, &alloc::boxed::Box<dyn core::error::Error + Send + Sync>>,
    ) -> Judged {
        result.err().map_or(Judged::Success, |error| super::standard::judge_error(&**error))
    }
}

/// A judge of the call's own error, for the error that policies around it make of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inside<J>(
    /// Judges what the call itself returned.
    pub J,
);

impl<T, E, J: Judge<T, E>> Judge<T, Error<E>> for Inside<J> {
    fn judge(&self, result: Result<&T, &Error<E>>) -> Judged {
        match result {
            Ok(value) => self.0.judge(Ok(value)),
            Err(Error::Failed(error)) => self.0.judge(Err(error)),
            Err(Error::Rejected(rejected)) => Judged::Refused(rejected.retry_after),
            Err(Error::TimedOut(late)) if late.held_up => Judged::Neutral,
            Err(Error::TimedOut(_) | Error::Struck) => Judged::PASSING,
        }
    }
}
