//! What a failure means for whoever has to decide what to do next.

use core::time::Duration;

/// Whether the other side may have acted on the request before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Processed {
    /// Surely not: it never arrived, or it was refused or rolled back.
    No = 0,
    /// Nobody can tell: the answer was lost, or never came.
    Maybe = 1,
    /// It arrived and was answered.
    Yes = 2,
}

/// How much of the work is lost with the failure, and so what has to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// The request alone.
    Request = 0,
    /// The statement; the transaction around it lives.
    Statement = 1,
    /// The whole transaction: repeat it from its beginning.
    Transaction = 2,
    /// The connection: take a new one first.
    Connection = 3,
}

/// The meaning of one failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// The same request may succeed later without anybody changing it.
    pub transient: bool,
    /// Whether the request may have been processed.
    pub processed: Processed,
    /// What has to be repeated.
    pub scope: Scope,
    /// The other side asked for fewer requests.
    pub throttled: bool,
    /// How long the other side asked to wait.
    pub retry_after: Option<Duration>,
}

/// What [`Verdict::to_packed`] never answers: the packed form of no verdict.
pub const UNKNOWN: f64 = -1.0;

/// [`Verdict::join`] on packed verdicts; one that is [`UNKNOWN`] leaves the other as it is.
#[must_use]
pub fn join_packed(a: f64, b: f64) -> f64 {
    match (Verdict::from_packed(a), Verdict::from_packed(b)) {
        (Some(a), Some(b)) => a.join(b).to_packed(),
        (Some(one), None) | (None, Some(one)) => one.to_packed(),
        (None, None) => UNKNOWN,
    }
}

impl Verdict {
    const TRANSIENT: u32 = 1;
    const THROTTLED: u32 = 1 << 1;
    const STEP: f64 = 64.0;
    const LONGEST: f64 = 1e12;

    /// All but `retry_after` as a number, for a door that passes numbers:
    /// bit 0 transient, bit 1 throttled, bits 2 and 3 processed, bits 4 and 5 scope.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        let transient = if self.transient { Self::TRANSIENT } else { 0 };
        let throttled = if self.throttled { Self::THROTTLED } else { 0 };
        transient | throttled | ((self.processed as u32) << 2) | ((self.scope as u32) << 4)
    }

    /// The verdict as one number, for a door that passes a single one: the bits of
    /// [`Verdict::to_bits`] plus 64 times the wait, where 0 is no wait and `n` is
    /// `n - 1` whole milliseconds (rounded up, at most 10^12).
    #[must_use]
    pub fn to_packed(self) -> f64 {
        let wait = match self.retry_after {
            Some(wait) => {
                // From the parts: as nanoseconds in an `f64` a wait of years is off by some.
                let part = libm::ceil(f64::from(wait.subsec_nanos()) / 1e6);
                (wait.as_secs() as f64 * 1e3 + part).min(Self::LONGEST) + 1.0
            }
            None => 0.0,
        };
        f64::from(self.to_bits()) + wait * Self::STEP
    }

    /// The verdict of [`Verdict::to_packed`], `None` for [`UNKNOWN`] and anything else that is no
    /// verdict.
    #[must_use]
    pub fn from_packed(packed: f64) -> Option<Self> {
        if !(0.0..=(Self::LONGEST + 2.0) * Self::STEP).contains(&packed) {
            return None;
        }
        let wait = libm::floor(packed / Self::STEP);
        // Whole milliseconds: nanoseconds in an `f64` would lose some of a wait of months.
        let retry_after = (wait >= 1.0).then(|| Duration::from_millis((wait - 1.0) as u64));
        Some(Self::from_bits((packed - wait * Self::STEP) as u32, retry_after))
    }

    /// The verdict about several failures of one piece of work, as an `AggregateError` carries
    /// them: transient only if both are, and for the rest whichever is worse.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            transient: self.transient && other.transient,
            processed: self.processed.max(other.processed),
            scope: self.scope.max(other.scope),
            throttled: self.throttled || other.throttled,
            retry_after: self.retry_after.max(other.retry_after),
        }
    }

    /// The verdict of [`Verdict::to_bits`] with a wait beside it; unknown bits are ignored.
    #[must_use]
    pub const fn from_bits(bits: u32, retry_after: Option<Duration>) -> Self {
        Self {
            transient: bits & Self::TRANSIENT != 0,
            processed: match (bits >> 2) & 3 {
                0 => Processed::No,
                1 => Processed::Maybe,
                _ => Processed::Yes,
            },
            scope: match (bits >> 4) & 3 {
                0 => Scope::Request,
                1 => Scope::Statement,
                2 => Scope::Transaction,
                _ => Scope::Connection,
            },
            throttled: bits & Self::THROTTLED != 0,
            retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_hold_every_verdict() {
        for bits in 0..64 {
            let verdict = Verdict::from_bits(bits, None);
            assert_eq!(Verdict::from_bits(verdict.to_bits(), None), verdict);
        }
    }

    #[test]
    fn packing_keeps_the_wait() {
        for wait in [None, Some(0), Some(1), Some(86_400_000)] {
            let verdict = Verdict::from_bits(0b11_01_01, wait.map(Duration::from_millis));
            assert_eq!(Verdict::from_packed(verdict.to_packed()), Some(verdict));
        }
        let longest = Verdict::from_bits(1, Some(Duration::MAX));
        let back = Verdict::from_packed(longest.to_packed()).unwrap();
        assert_eq!(back.retry_after, Some(Duration::from_millis(1_000_000_000_000)));
    }

    #[test]
    fn a_wait_of_years_survives() {
        let wait = Duration::from_millis(807_531_282_111);
        let verdict = Verdict::from_bits(1, Some(wait));
        assert_eq!(Verdict::from_packed(verdict.to_packed()), Some(verdict));
    }

    #[test]
    fn what_is_no_verdict_is_none() {
        for packed in [UNKNOWN, f64::NAN, f64::INFINITY, -0.5] {
            assert_eq!(Verdict::from_packed(packed), None);
        }
    }

    #[test]
    fn a_part_of_a_millisecond_is_waited_for() {
        let verdict = Verdict::from_bits(1, Some(Duration::from_micros(1)));
        let back = Verdict::from_packed(verdict.to_packed()).unwrap();
        assert_eq!(back.retry_after, Some(Duration::from_millis(1)));
    }

    #[test]
    fn unknown_joins_to_the_other() {
        let verdict = Verdict::from_bits(0b01_00_01, None).to_packed();
        assert_eq!(join_packed(UNKNOWN, verdict), verdict);
        assert_eq!(join_packed(verdict, UNKNOWN), verdict);
        assert_eq!(join_packed(UNKNOWN, UNKNOWN), UNKNOWN);
    }
}
