//! How many workers there are, and how long each may take.

use core::time::Duration;

/// Starting a runtime and an application takes that long on a slow machine.
const LEAST_START_MS: f64 = 5_000.0;
/// A worker is to end by itself, as the process that started it ends it only after that.
const KILL_LATER_MS: f64 = 500.0;

/// For how long a worker that leaves keeps connections open on which nothing happens, so that a request
/// that is on its way, or comes late on a busy machine, is answered there.
pub const LINGER: Duration = Duration::from_secs(1);

/// For how many ms a worker that leaves keeps connections without a request, where it has `graceful_ms`
/// to end: for [`LINGER`]. One whose place another worker takes has time: as long as clients were told
/// that connections are kept, which are `keep_alive_ms`; zero is for ever. Never longer than half of
/// what it has, which leaves the other half to requests.
///
/// ```
/// use seawall::balance::linger_ms;
///
/// assert_eq!(linger_ms(10_000.0, 5_000.0, false), 1_000.0);
/// assert_eq!(linger_ms(10_000.0, 3_000.0, true), 3_000.0);
/// assert_eq!(linger_ms(10_000.0, 0.0, true), 5_000.0);
/// assert_eq!(linger_ms(600.0, 5_000.0, false), 300.0);
/// ```
#[must_use]
pub fn linger_ms(graceful_ms: f64, keep_alive_ms: f64, is_replaced: bool) -> f64 {
    let least = LINGER.as_secs_f64() * 1e3;
    let wanted = match is_replaced {
        false => least,
        true if keep_alive_ms == 0.0 => f64::INFINITY,
        true => keep_alive_ms.max(least),
    };
    wanted.min(graceful_ms / 2.0)
}

/// How many workers somebody means who asks for `asked`: whole ones, and at least one. What is no
/// number is one.
///
/// ```
/// use seawall::balance::worker_count;
///
/// assert_eq!([2.7, 0.0, -3.0, f64::NAN].map(worker_count), [2, 1, 1, 1]);
/// ```
#[must_use]
pub fn worker_count(asked: f64) -> u32 {
    // Towards zero, and zero for what is no number.
    (asked as u32).max(1)
}

/// Whether a worker that was heard of at `heard_ms` is none to be chosen any more at `now_ms`,
/// because it has not said a word for longer than `stale_after_ms`.
///
/// ```
/// use seawall::balance::is_stale;
///
/// assert!(!is_stale(1_000.0, 3_000.0, 2_000.0));
/// assert!(is_stale(1_000.0, 3_001.0, 2_000.0));
/// ```
#[must_use]
pub fn is_stale(heard_ms: f64, now_ms: f64, stale_after_ms: f64) -> bool {
    now_ms - heard_ms > stale_after_ms
}

/// For how many ms a worker may start before it is given up, where it has `graceful_ms` to end: as
/// long, and at least 5 s.
///
/// ```
/// use seawall::balance::start_ms;
///
/// assert_eq!((start_ms(100.0), start_ms(30_000.0)), (5_000.0, 30_000.0));
/// ```
#[must_use]
pub fn start_ms(graceful_ms: f64) -> f64 {
    graceful_ms.max(LEAST_START_MS)
}

/// After how many ms a worker that was told to end, and has `graceful_ms` for it, is killed: half a
/// second later, so that it can end by itself.
///
/// ```
/// use seawall::balance::kill_ms;
///
/// assert_eq!(kill_ms(10_000.0), 10_500.0);
/// ```
#[must_use]
pub fn kill_ms(graceful_ms: f64) -> f64 {
    graceful_ms + KILL_LATER_MS
}
