//! What a retry is made of.

use core::time::Duration;

use crate::backoff::Backoff;
use crate::fields::Checks;

/// What a [`Retry`](super::Retry) is made of. The default is three tries in
/// all, 1 s and then 2 s apart, a quarter more or less.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryConfig {
    /// The waits; its own limits count too.
    pub backoff: Backoff,
    /// How many tries in all, the first included. `None`: no limit but the
    /// schedule's. Zero is refused.
    pub max_attempts: Option<u32>,
    /// A wait that would end later than this after the first try began is not
    /// begun. `None`: no limit but the schedule's.
    pub max_elapsed: Option<Duration>,
    /// Whether a wait the other side asks for is kept (it is the least wait; a
    /// longer one of the schedule stays). Default true.
    pub respect_retry_after: bool,
    /// A longer wait asked for ends the call at once: to come back earlier
    /// would be refused again. Default 30 s. Zero: any wait asked for ends it.
    pub max_retry_after: Duration,
    /// Whether the call may be carried out twice. Default true; false stops
    /// after a failure that may have been carried out.
    pub idempotent: bool,
    /// Whether a refusal of one's own policies (an open breaker, a full
    /// bulkhead) is waited for as long as it says. Default false: it ends the
    /// call, as the next try would most likely be refused too.
    pub wait_for_refusals: bool,
}

/// Tries in all, unless told.
pub(super) const MAX_ATTEMPTS: u32 = 3;
/// The longest wait another side may ask for, unless told.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

impl RetryConfig {
    /// A retry with the waits of `backoff`. Three tries, unless `backoff` gives
    /// up by itself: then as many as it allows.
    #[must_use]
    pub fn with(backoff: Backoff) -> Self {
        let max_attempts = if backoff.is_bounded() { None } else { Some(MAX_ATTEMPTS) };
        Self {
            backoff,
            max_attempts,
            max_elapsed: None,
            respect_retry_after: true,
            max_retry_after: MAX_RETRY_AFTER,
            idempotent: true,
            wait_for_refusals: false,
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.at_least_one("maxAttempts", self.max_attempts.unwrap_or(1));
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self::with(Backoff::doubling_from_a_second())
    }
}
