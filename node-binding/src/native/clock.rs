//! The clock of the native threads.

use std::sync::OnceLock;
use std::time::{Duration, Instant as Monotonic, SystemTime, UNIX_EPOCH};

use seawall::Instant;

/// The time since the first call of this process.
#[allow(clippy::disallowed_methods, reason = "the doors own the clock, not the core")]
pub(crate) fn now() -> Instant {
    static START: OnceLock<Monotonic> = OnceLock::new();
    Instant::from(START.get_or_init(Monotonic::now).elapsed())
}

/// What the wall clock shows, in ms since 1970.
#[allow(clippy::disallowed_methods, reason = "the doors own the clock, not the core")]
pub(super) fn wall_ms() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_secs_f64() * 1000.0
}
