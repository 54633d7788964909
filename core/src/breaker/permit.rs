//! Leave to run a call, or the reason why not.

use core::time::Duration;

use super::trial::PROBE_BITS;
use crate::outcome::Outcome;

/// Generations are numbered in this many bits, so that a generation, a state and
/// a gate fit into one word (see [`Gate`](super::cell::Gate)).
pub(crate) const GENERATION_BITS: u32 = 27;

/// Leave to run one call, as a value; hand it back with how the call ended.
///
/// It carries the generation in which it was granted: an outcome that comes back
/// after the breaker changed state is counted and decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawPermit {
    pub(crate) generation: u32,
    /// The number of the probe, 0 for a call that is none.
    pub(crate) probe: u32,
}

impl RawPermit {
    /// Whether this call decides about a recovery, so that its end must be reported.
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.probe != 0
    }

    /// The permit as one whole number below 2^47, which a JavaScript number holds exactly.
    #[must_use]
    pub fn to_code(self) -> f64 {
        ((u64::from(self.generation) << PROBE_BITS) | u64::from(self.probe)) as f64
    }

    /// The permit of [`RawPermit::to_code`].
    #[must_use]
    pub fn from_code(code: f64) -> Self {
        let code = code as u64;
        let mask = (1u64 << PROBE_BITS).wrapping_sub(1);
        Self {
            generation: u32::try_from(code >> PROBE_BITS).unwrap_or(u32::MAX),
            probe: u32::try_from(code & mask).unwrap_or(0),
        }
    }
}

/// How a call ended, with all that a breaker can use of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settled {
    /// Success, failure or neutral.
    pub outcome: Outcome,
    /// It took longer than the slow-call limit.
    pub slow: bool,
    /// The other side asked to be left alone for this long: the breaker opens at once.
    pub open_for: Option<Duration>,
    /// What went wrong, as a number of the caller's choice for [`Explanation::causes`]
    /// (0: nothing to tell).
    ///
    /// [`Explanation::causes`]: super::Explanation::causes
    pub cause: u32,
    /// The wall clock at the end, in milliseconds since 1970: kept for a failure, never judged by.
    pub wall_ms: f64,
}

impl Settled {
    /// The end of a call from the numbers that cross a door: `how` is the code of the outcome
    /// plus 4 if the call was slow, `open_for` in ms or below 0 for none.
    #[must_use]
    pub fn from_codes(how: u32, open_for: f64, cause: u32, wall_ms: f64) -> Self {
        Self {
            outcome: Outcome::from_code(how & 3),
            slow: how & 4 != 0,
            open_for: (open_for >= 0.0).then(|| crate::time::duration_from_millis(open_for)),
            cause,
            wall_ms,
        }
    }
}

impl From<Outcome> for Settled {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, slow: false, open_for: None, cause: 0, wall_ms: 0.0 }
    }
}

/// Why a call may not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Reason {
    /// The breaker is open.
    Open = 1,
    /// It is half-open and all probes are out.
    Probing = 2,
    /// It is closing in steps and this call is not in the share let through.
    Recovering = 3,
    /// Somebody holds it isolated.
    Isolated = 4,
}

/// A refused call: why, and how long until the answer may be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rejection {
    /// Why.
    pub reason: Reason,
    /// The time after which it is worth asking again; `None` where nobody knows.
    pub retry_after: Option<Duration>,
    /// The generation that refused.
    pub generation: u32,
}

impl Reason {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Open => "circuit breaker is open",
            Self::Probing => "circuit breaker is testing recovery",
            Self::Recovering => "circuit breaker is letting through only a share of calls",
            Self::Isolated => "circuit breaker is held isolated",
        }
    }
}

impl core::fmt::Display for Rejection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.reason.words())
    }
}

impl core::error::Error for Rejection {}
