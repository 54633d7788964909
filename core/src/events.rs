//! What policies tell of themselves: events of `tracing` and counters of `metrics`, each behind the
//! feature of its name. Without both these functions are empty, and on a happy path none is called.

use core::time::Duration;

use crate::breaker::State;
use crate::error::{Rejected, TimedOut};

const fn word(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half-open",
        State::Recovering => "recovering",
        State::Isolated => "isolated",
    }
}

/// A breaker has changed its state.
#[cold]
pub(crate) fn changed(policy: &str, from: State, to: State) {
    let (from, to) = (word(from), word(to));
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "seawall", policy, from, to, "circuit breaker changed state");
    #[cfg(feature = "metrics")]
    metrics::counter!("seawall_breaker_changes_total", "policy" => owned(policy), "to" => to)
        .increment(1);
    let _ = (policy, from, to);
}

/// A policy refused a call.
#[cold]
pub(crate) fn rejected(policy: &str, rejected: &Rejected) {
    let (by, why) = (rejected.by.name(), rejected.why.word());
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "seawall", policy, by, why, retry_after = ?rejected.retry_after, "call rejected");
    #[cfg(feature = "metrics")]
    metrics::counter!(
        "seawall_rejections_total", "policy" => owned(policy), "by" => by, "why" => why
    )
    .increment(1);
    let _ = (policy, by, why);
}

/// A failed call is repeated after a wait; 1 for its first repetition.
#[cold]
pub(crate) fn retried(policy: &str, repetition: u32, wait: Duration) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "seawall", policy, repetition, ?wait, "call is repeated");
    #[cfg(feature = "metrics")]
    metrics::counter!("seawall_retries_total", "policy" => owned(policy)).increment(1);
    let _ = (policy, repetition, wait);
}

/// A second call begins beside one that is late.
#[cold]
pub(crate) fn hedged(policy: &str, after: Duration) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "seawall", policy, ?after, "call is hedged");
    #[cfg(feature = "metrics")]
    metrics::counter!("seawall_hedges_total", "policy" => owned(policy)).increment(1);
    let _ = (policy, after);
}

/// The time of a call is up.
#[cold]
pub(crate) fn timed_out(policy: &str, late: &TimedOut) {
    let by = late.by.name();
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "seawall", policy, by, limit = ?late.limit, held_up = late.held_up, "call timed out");
    #[cfg(feature = "metrics")]
    metrics::counter!("seawall_timeouts_total", "policy" => owned(policy), "by" => by).increment(1);
    let _ = (policy, by);
}

#[cfg(feature = "metrics")]
fn owned(policy: &str) -> alloc::string::String {
    alloc::string::String::from(policy)
}
