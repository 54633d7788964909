//! Whether a failed call is worth another try, and after which wait.
//!
//! **Why.** Most failures of a network pass by themselves. Trying again hides
//! them, if it is done seldom, spread out and only where it can do no harm.
//!
//! **When not.** A failure the next try will share (a constraint, a bad
//! request) is not repeated, nor one that may already have been carried out
//! unless the call is idempotent. Repeat at one layer only: three layers with
//! three tries each make 27 calls.
//!
//! ```
//! use core::time::Duration;
//! use seawall::Rng;
//! use seawall::classify::{Processed, Scope, Verdict};
//! use seawall::retry::{Decision, Failure, Reason, Retry, RetryConfig};
//!
//! let mut config = RetryConfig::default();
//! config.idempotent = false;
//! let retry = Retry::new(config)?;
//! let mut rng = Rng::new(1);
//!
//! let refused = Verdict {
//!     transient: true,
//!     processed: Processed::No,
//!     scope: Scope::Connection,
//!     throttled: false,
//!     retry_after: None,
//! };
//! let first = Failure::new(1, Some(refused));
//! assert!(matches!(retry.decide(&first, &mut rng), Decision::After(_)));
//!
//! let lost = Verdict { processed: Processed::Maybe, ..refused };
//! let second = Failure::new(2, Some(lost));
//! assert_eq!(retry.decide(&second, &mut rng), Decision::Stop(Reason::Ambiguous));
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod budget;
mod config;
mod options;

use core::time::Duration;

pub use budget::{BudgetConfig, BudgetExplanation, BudgetOptions, RetryBudget};
pub use config::RetryConfig;
#[doc(hidden)]
pub use options::FailureNumbers;
pub use options::RetryOptions;

use crate::Rng;
use crate::classify::{Processed, Verdict};
use crate::fields::Checks;
use crate::options::Problem;

/// What happens after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Call again after this wait.
    After(Duration),
    /// Hand the failure to the caller.
    Stop(Reason),
}

/// Why there is no further try. The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i8)]
#[non_exhaustive]
pub enum Reason {
    /// The next try would fail as well, or the caller said no.
    NotTransient = -1,
    /// There have been as many tries as allowed, or the schedule has ended.
    Attempts = -2,
    /// The wait would end past the time allowed.
    Elapsed = -3,
    /// The call may have been carried out and may not be carried out twice.
    Ambiguous = -4,
    /// The other side asked for a longer wait than the caller accepts.
    RetryAfterTooLong = -5,
    /// One of the caller's own policies refused the call, and such refusals are
    /// not waited for.
    Refused = -6,
    /// The wait would end at the deadline of the call or after it.
    Deadline = -7,
}

/// A failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Its number, 1 for the first.
    pub attempt: u32,
    /// The time since the first try began.
    pub elapsed: Duration,
    /// The wait before this try, zero before the first.
    pub previous: Duration,
    /// What the failure means; `None` if nobody knows, which counts as not
    /// transient and as possibly carried out.
    pub verdict: Option<Verdict>,
    /// The caller's own word on whether to try again; `None` leaves it to the
    /// verdict.
    pub wanted: Option<bool>,
    /// One of the caller's own policies refused this try, so that nothing was
    /// carried out and neither the verdict nor the caller has a say.
    pub refused: bool,
    /// A wait in place of the schedule's, such as one the caller has for this
    /// error, or that of a refusal. A wait the other side asks for is kept all
    /// the same.
    pub delay: Option<Duration>,
    /// What is left until the deadline of the call; `None` without one.
    pub remaining: Option<Duration>,
}

impl Failure {
    /// Try number `attempt` failed at once, and the verdict decides.
    #[must_use]
    pub const fn new(attempt: u32, verdict: Option<Verdict>) -> Self {
        Self {
            attempt,
            elapsed: Duration::ZERO,
            previous: Duration::ZERO,
            verdict,
            wanted: None,
            refused: false,
            delay: None,
            remaining: None,
        }
    }
}

/// A checked rule for repeating calls. It keeps no state: one value may serve
/// any number of calls at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    config: RetryConfig,
}

impl Retry {
    /// The rule of `config`.
    ///
    /// # Errors
    ///
    /// `maxAttempts` if it is zero.
    pub fn new(config: RetryConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(Self { config })
    }

    /// Why there is no further try after number `attempt` however it failed;
    /// `None` if it depends on the failure. Saves judging the last one.
    #[must_use]
    pub fn over(&self, attempt: u32, elapsed: Duration) -> Option<Reason> {
        if self.config.max_attempts.is_some_and(|most| attempt >= most) {
            Some(Reason::Attempts)
        } else if self.past(elapsed) {
            Some(Reason::Elapsed)
        } else {
            None
        }
    }

    /// Whether and when to try again. Draws as [`Backoff::delay`] does, once
    /// nothing else forbids the try.
    ///
    /// [`Backoff::delay`]: crate::backoff::Backoff::delay
    #[must_use]
    pub fn decide(&self, failure: &Failure, rng: &mut Rng) -> Decision {
        self.wait(failure, rng).map_or_else(Decision::Stop, Decision::After)
    }

    fn wait(&self, failure: &Failure, rng: &mut Rng) -> Result<Duration, Reason> {
        let Failure { attempt, elapsed, previous, .. } = *failure;
        if let Some(reason) = self.over(attempt, elapsed) {
            return Err(reason);
        }
        let asked = if failure.refused { self.refused(failure)? } else { self.failed(failure)? };
        if asked > self.config.max_retry_after {
            return Err(Reason::RetryAfterTooLong);
        }
        let scheduled =
            self.config.backoff.delay(attempt, previous, rng).ok_or(Reason::Attempts)?;
        let wait = match failure.delay {
            Some(delay) if !failure.refused => delay,
            _ => scheduled,
        };
        let wait = wait.max(asked);
        if self.past(elapsed.saturating_add(wait)) {
            Err(Reason::Elapsed)
        } else if failure.remaining.is_some_and(|left| wait >= left) {
            Err(Reason::Deadline)
        } else {
            Ok(wait)
        }
    }

    /// The least wait after a refusal.
    fn refused(&self, failure: &Failure) -> Result<Duration, Reason> {
        if self.config.wait_for_refusals {
            Ok(failure.delay.unwrap_or(Duration::ZERO))
        } else {
            Err(Reason::Refused)
        }
    }

    /// The least wait after a failure.
    fn failed(&self, failure: &Failure) -> Result<Duration, Reason> {
        let Failure { verdict, wanted, .. } = *failure;
        if !wanted.unwrap_or(verdict.is_some_and(|verdict| verdict.transient)) {
            return Err(Reason::NotTransient);
        }
        let processed = verdict.map_or(Processed::Maybe, |verdict| verdict.processed);
        if !self.config.idempotent && processed != Processed::No {
            return Err(Reason::Ambiguous);
        }
        Ok(verdict
            .and_then(|verdict| verdict.retry_after)
            .filter(|_| self.config.respect_retry_after)
            .unwrap_or(Duration::ZERO))
    }

    /// Whether the time since the first try plays a part.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_timed(&self) -> bool {
        self.config.max_elapsed.or(self.config.backoff.config().max_elapsed).is_some()
    }

    fn past(&self, elapsed: Duration) -> bool {
        let limits = [self.config.max_elapsed, self.config.backoff.config().max_elapsed];
        limits.into_iter().flatten().any(|limit| elapsed > limit)
    }
}
