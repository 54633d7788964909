//! Time as an argument: the only place where units are converted.

use core::time::Duration;

const NANOS_PER_MILLI: f64 = 1e6;

/// A point on the caller's monotonic clock, in nanoseconds since an origin of
/// the caller's choice.
///
/// Nothing in this crate reads a clock. Every decision takes the present as an
/// `Instant`, so a test, a replay and a simulator are ordinary callers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);

    /// A point `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A point `millis` milliseconds after the origin; NaN and negative values
    /// are the origin, values past the range are its end.
    #[must_use]
    pub fn from_millis(millis: f64) -> Self {
        Self(nanos_from_millis(millis))
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Milliseconds since the origin.
    #[must_use]
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn as_millis(self) -> f64 {
        self.0 as f64 / NANOS_PER_MILLI
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub const fn since(self, earlier: Self) -> Duration {
        duration(self.0.saturating_sub(earlier.0))
    }

    /// The point `nanos` later, or earlier where negative, within the range.
    #[must_use]
    pub const fn shifted(self, nanos: i64) -> Self {
        Self(self.0.saturating_add_signed(nanos))
    }

    /// The point `duration` later, the end of the range at most.
    #[must_use]
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl From<Duration> for Instant {
    /// The point `since_origin` after the origin, such as `start.elapsed()`.
    fn from(since_origin: Duration) -> Self {
        Self::ZERO.after(since_origin)
    }
}

/// `duration` in nanoseconds, saturating at `u64::MAX` (584 years).
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) fn nanos(duration: Duration) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    // In 64 bits, which are half the code of `as_nanos` where there are no others.
    if duration.as_secs() > u64::MAX / SECOND {
        return u64::MAX;
    }
    duration.as_secs().wrapping_mul(SECOND).saturating_add(u64::from(duration.subsec_nanos()))
}

/// `a` times `b`, at most `u64::MAX`: in WASM a product of 128 bits, which is to be there once.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) const fn product(a: u64, b: u64) -> u64 {
    a.saturating_mul(b)
}

/// Milliseconds as whole nanoseconds; NaN and negatives are zero, the rest saturates.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) fn nanos_from_millis(millis: f64) -> u64 {
    // `as` saturates and maps NaN to zero, which is what is promised.
    libm::round(millis * NANOS_PER_MILLI) as u64
}

/// A duration of so many nanoseconds; in WASM a division that is to be there once.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) const fn duration(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// `duration` in milliseconds.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) fn millis(duration: Duration) -> f64 {
    nanos(duration) as f64 / NANOS_PER_MILLI
}

/// A duration of `ms` milliseconds; NaN and negatives are zero, the rest saturates.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) fn duration_from_millis(ms: f64) -> Duration {
    duration(nanos_from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_millis_saturate() {
        assert_eq!(Instant::from_millis(f64::NAN), Instant::ZERO);
        assert_eq!(Instant::from_millis(-1.0), Instant::ZERO);
        assert_eq!(Instant::from_millis(f64::INFINITY).as_nanos(), u64::MAX);
        assert_eq!(Instant::from_millis(1.5).as_nanos(), 1_500_000);
    }

    #[test]
    fn durations_in_nanoseconds_saturate() {
        for duration in [
            Duration::ZERO,
            Duration::new(1, 5),
            Duration::from_nanos(u64::MAX),
            Duration::from_nanos(u64::MAX).saturating_add(Duration::from_nanos(1)),
            Duration::new(u64::MAX / 1_000_000_000 + 1, 0),
            Duration::MAX,
        ] {
            let want = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            assert_eq!(nanos(duration), want, "{duration:?}");
        }
    }

    #[test]
    fn differences_never_go_below_zero() {
        let (a, b) = (Instant::from_nanos(5), Instant::from_nanos(9));
        assert_eq!(b.since(a), Duration::from_nanos(4));
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(
            Instant::from_nanos(u64::MAX).after(Duration::from_secs(1)).as_nanos(),
            u64::MAX
        );
    }
}
