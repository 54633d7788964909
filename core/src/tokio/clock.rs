//! The clock of tokio, which tests can pause, as the time of this crate.

use std::sync::OnceLock;
use std::time::Duration;

use ::tokio::time::Instant as TokioInstant;

use crate::Instant;
use crate::breaker::Clock;

/// The time since a point before the first question of the process.
pub(crate) fn now() -> Instant {
    of(TokioInstant::now())
}

/// A moment of tokio's clock in the time of this crate.
pub(crate) fn of(at: TokioInstant) -> Instant {
    Instant::from(at.into_std().saturating_duration_since(origin().at))
}

/// A moment in the time of this crate on tokio's clock.
pub(crate) fn at(instant: Instant) -> TokioInstant {
    let since = instant.since(Instant::ZERO);
    let far = || TokioInstant::now().checked_add(FAR);
    let at = origin().at.checked_add(since).map(TokioInstant::from_std).or_else(far);
    at.unwrap_or_else(TokioInstant::now)
}

/// Later than any program runs, and within the range of every clock.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// How long before the first question the time begins: a paused clock stands at when its runtime was
/// made.
const BEFORE: Duration = Duration::from_secs(86_400);

#[derive(Debug, Clone, Copy)]
struct Origin {
    at: std::time::Instant,
    /// The same on the clock that [`coarse`] reads, or a little later.
    #[cfg(target_os = "linux")]
    ticks: i64,
}

/// Not of tokio's clock: a paused one may have been moved ahead of those of later runtimes.
fn origin() -> &'static Origin {
    static ORIGIN: OnceLock<Origin> = OnceLock::new();
    ORIGIN.get_or_init(Origin::new)
}

#[allow(clippy::disallowed_methods, reason = "this is where the clock comes from")]
impl Origin {
    #[cfg(not(target_os = "linux"))]
    fn new() -> Self {
        let now = std::time::Instant::now();
        Self { at: now.checked_sub(BEFORE).unwrap_or(now) }
    }

    #[cfg(target_os = "linux")]
    fn new() -> Self {
        let mut now = std::time::Instant::now();
        let mut ticks = coarse::nanos(coarse::FINE);
        // The thread may have been held up between the two.
        for _ in 0..10 {
            if now.elapsed() < Duration::from_millis(1) {
                break;
            }
            now = std::time::Instant::now();
            ticks = coarse::nanos(coarse::FINE);
        }
        let before = now.checked_sub(BEFORE);
        let since = if before.is_some() { crate::time::nanos(BEFORE) } else { 0 };
        Self { at: before.unwrap_or(now), ticks: ticks.saturating_sub_unsigned(since) }
    }
}

/// The time of the system's last tick: up to 10 ms ago, or up to 4 as most kernels are built.
///
/// It is read from memory that the kernel writes, in a fifth of the time that it takes to ask the
/// processor for the exact one.
#[cfg(target_os = "linux")]
mod coarse {
    use rustix::time::{ClockId, clock_gettime};

    use super::{Instant, origin};

    /// The clock of the standard library.
    pub(super) const FINE: ClockId = ClockId::Monotonic;

    pub(super) fn nanos(clock: ClockId) -> i64 {
        let time = clock_gettime(clock);
        time.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as i64)
    }

    pub(super) fn now() -> Instant {
        let since = nanos(ClockId::MonotonicCoarse).wrapping_sub(origin().ticks);
        Instant::from_nanos(u64::try_from(since).unwrap_or(0))
    }
}

/// Whether tokio was built with `test-util`, so that somebody may pause its clock: what only it tells
/// is the time then.
#[cfg(target_os = "linux")]
const MAY_BE_PAUSED: bool = {
    #[allow(unused_imports, reason = "its `pause`, if it has one, hides the one below")]
    use ::tokio::time::*;
    // A function has no size.
    size_of_val(&pause) == 0
};
#[cfg(target_os = "linux")]
#[allow(non_upper_case_globals, dead_code, reason = "it stands for a function")]
const pause: u8 = 0;

/// Reads the time only where a breaker's rule asks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokioClock;

impl Clock for TokioClock {
    #[inline]
    fn now(&self) -> Instant {
        now()
    }

    #[inline]
    fn lately(&self) -> Instant {
        #[cfg(target_os = "linux")]
        if !MAY_BE_PAUSED {
            return coarse::now();
        }
        now()
    }
}
