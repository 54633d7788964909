//! Milliseconds in JavaScript, durations in the core.

use std::time::Duration;

use seawall::Instant;

/// `duration` in milliseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    Instant::ZERO.after(duration).as_millis()
}

/// `millis` as a duration; NaN and negative numbers are zero.
pub(crate) fn duration(millis: f64) -> Duration {
    Instant::from_millis(millis).since(Instant::ZERO)
}

/// What crossed as NaN is not set.
pub(crate) fn some(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}
