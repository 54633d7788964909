//! The clock of tokio, which tests can pause, as the time of this crate.

use std::sync::OnceLock;

use ::tokio::time::Instant as TokioInstant;

use crate::Instant;
use crate::breaker::Clock;

/// The time since a point before the first question of the process.
pub(crate) fn now() -> Instant {
    of(TokioInstant::now())
}

/// A moment of tokio's clock in the time of this crate.
pub(crate) fn of(at: TokioInstant) -> Instant {
    Instant::from(at.into_std().saturating_duration_since(origin()))
}

/// A moment in the time of this crate on tokio's clock.
pub(crate) fn at(instant: Instant) -> TokioInstant {
    let since = instant.since(Instant::ZERO);
    let far = || TokioInstant::now().checked_add(FAR);
    let at = origin().checked_add(since).map(TokioInstant::from_std).or_else(far);
    at.unwrap_or_else(TokioInstant::now)
}

/// Later than any program runs, and within the range of every clock.
const FAR: core::time::Duration = core::time::Duration::from_secs(86_400 * 365 * 30);

/// Not of tokio's clock: a paused one may have been moved ahead of those of later runtimes. And a day
/// ago where that can be said, since a paused one stands at when its runtime was made.
#[allow(clippy::disallowed_methods, reason = "this is where the clock comes from")]
fn origin() -> std::time::Instant {
    static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| {
        let now = std::time::Instant::now();
        now.checked_sub(core::time::Duration::from_secs(86_400)).unwrap_or(now)
    })
}

/// Reads the time only where a breaker's rule asks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokioClock;

impl Clock for TokioClock {
    #[inline]
    fn now(&self) -> Instant {
        now()
    }
}
