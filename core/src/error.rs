//! Why a call through policies has no value: refused, out of time, or failed.
//!
//! One type for all policies, so that a caller looks in one place: [`Error::Rejected`] says which
//! policy refused, why, and when it is worth asking again.
//!
//! ```
//! use core::time::Duration;
//! use seawall::error::{Error, Rejected, Why};
//! use seawall::policy::Stage;
//!
//! fn answer(error: &Error<std::io::Error>) -> (u16, Option<Duration>) {
//!     match error {
//!         Error::Rejected(rejected) => (503, rejected.retry_after),
//!         Error::TimedOut(_) => (504, None),
//!         _ => (502, None),
//!     }
//! }
//! let full = Rejected { by: Stage::Bulkhead, why: Why::Full, retry_after: None };
//! assert_eq!(answer(&full.into()), (503, None));
//! ```

use core::error::Error as StdError;
use core::fmt;
use core::time::Duration;

use crate::breaker;
use crate::limit::rate;
use crate::policy::Stage;

/// Why a call has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// A policy refused it; it did not run.
    Rejected(Rejected),
    /// Its time was up. It may have been carried out all the same.
    TimedOut(TimedOut),
    /// Chaos failed it on purpose.
    Struck,
    /// It ran and failed.
    Failed(E),
}

/// A refused call: by which policy, why, and when to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rejected {
    /// The policy.
    pub by: Stage,
    /// Why.
    pub why: Why,
    /// The time after which it is worth asking again; `None` where nobody knows.
    pub retry_after: Option<Duration>,
}

/// Why a policy refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The breaker is not closed.
    Breaker(breaker::Reason),
    /// The rate limiter has no permit for it.
    Rate(rate::Refusal),
    /// The throttle holds it back, as the other side refuses as many.
    Throttled,
    /// All places are taken, those in the queue too.
    Full,
    /// The queue fills, and others are more important.
    Priority,
    /// It has waited too long for a place.
    Expired,
    /// Its deadline has passed, or leaves less time than it is likely to take.
    Deadline,
}

impl Why {
    /// One word for logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Breaker(breaker::Reason::Open) => "open",
            Self::Breaker(breaker::Reason::Probing) => "probing",
            Self::Breaker(breaker::Reason::Recovering) => "recovering",
            Self::Breaker(breaker::Reason::Isolated) => "isolated",
            Self::Rate(rate::Refusal::Rate) => "rate",
            Self::Rate(rate::Refusal::Held) => "held",
            Self::Rate(rate::Refusal::Wait) => "wait",
            Self::Rate(rate::Refusal::Queue) => "queue",
            Self::Rate(rate::Refusal::Weight) => "weight",
            Self::Throttled => "throttled",
            Self::Full => "full",
            Self::Priority => "priority",
            Self::Expired => "expired",
            Self::Deadline => "deadline",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Breaker(reason) => reason.words(),
            Self::Rate(rate::Refusal::Rate) => "rate limit is reached",
            Self::Rate(rate::Refusal::Held) => "rate limiter lets nothing pass for a while",
            Self::Rate(rate::Refusal::Wait) => "wait for the rate limit would be too long",
            Self::Rate(rate::Refusal::Queue) => "too many calls wait for the rate limit",
            Self::Rate(rate::Refusal::Weight) => "call weighs more than the rate limit ever allows",
            Self::Throttled => "call is held back, as too many of late have failed",
            Self::Full => "all places are taken",
            Self::Priority => "places are short, and other calls are more important",
            Self::Expired => "call has waited too long for a place",
            Self::Deadline => "too little time is left until the deadline",
        }
    }
}

/// A call whose time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimedOut {
    /// The time it was given.
    pub limit: Duration,
    /// [`Stage::Timeout`] where that was a try's, [`Stage::Deadline`] where it was the call's.
    pub by: Stage,
    /// The timer itself was held up: the program was busy or asleep, which says nothing of the
    /// other side.
    pub held_up: bool,
}

impl<E> Error<E> {
    /// The refusal, if it is one.
    #[must_use]
    pub const fn rejected(&self) -> Option<&Rejected> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            _ => None,
        }
    }

    /// The call's own error, if it ran and failed.
    #[must_use]
    pub fn into_failed(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// When it is worth asking again, where a policy said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.rejected().and_then(|rejected| rejected.retry_after)
    }

    /// The same with another error of the call.
    #[must_use]
    pub fn map<F>(self, map: impl FnOnce(E) -> F) -> Error<F> {
        match self {
            Self::Rejected(rejected) => Error::Rejected(rejected),
            Self::TimedOut(late) => Error::TimedOut(late),
            Self::Struck => Error::Struck,
            Self::Failed(error) => Error::Failed(map(error)),
        }
    }
}

impl<E> Error<Error<E>> {
    /// One error of two policies around each other.
    #[must_use]
    pub fn flatten(self) -> Error<E> {
        match self {
            Self::Rejected(rejected) => Error::Rejected(rejected),
            Self::TimedOut(late) => Error::TimedOut(late),
            Self::Struck => Error::Struck,
            Self::Failed(inner) => inner,
        }
    }
}

impl<E> From<Rejected> for Error<E> {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl<E> From<TimedOut> for Error<E> {
    fn from(late: TimedOut) -> Self {
        Self::TimedOut(late)
    }
}

impl From<breaker::Rejection> for Rejected {
    fn from(rejection: breaker::Rejection) -> Self {
        Self {
            by: Stage::Breaker,
            why: Why::Breaker(rejection.reason),
            retry_after: rejection.retry_after,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why.words())
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.by == Stage::Deadline { "call" } else { "try" };
        write!(f, "{what} has no answer after {:?}", self.limit)
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::TimedOut(late) => late.fmt(f),
            Self::Struck => f.write_str("call was failed on purpose"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl StdError for Rejected {}
impl StdError for TimedOut {}

impl<E: StdError + 'static> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            Self::TimedOut(late) => Some(late),
            Self::Struck => None,
            Self::Failed(error) => Some(error),
        }
    }
}
