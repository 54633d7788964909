//! How many workers there are, and how long each may take.

/// Starting a runtime and an application takes that long on a slow machine.
const LEAST_START_MS: f64 = 5_000.0;
/// A worker is to end by itself, as the process that started it ends it only after that.
const KILL_LATER_MS: f64 = 500.0;

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
