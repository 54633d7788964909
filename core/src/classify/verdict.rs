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

impl Verdict {
    const TRANSIENT: u32 = 1;
    const THROTTLED: u32 = 1 << 1;

    /// All but `retry_after` as a number, for a door that passes numbers:
    /// bit 0 transient, bit 1 throttled, bits 2 and 3 processed, bits 4 and 5 scope.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        let transient = if self.transient { Self::TRANSIENT } else { 0 };
        let throttled = if self.throttled { Self::THROTTLED } else { 0 };
        transient | throttled | ((self.processed as u32) << 2) | ((self.scope as u32) << 4)
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
}
