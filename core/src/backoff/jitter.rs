//! Spreading waits, so that callers that failed together do not return together.

use crate::Rng;
use crate::fields::Checks;
use crate::options::Rule;

/// How a wait is spread.
///
/// Clipping a spread wait puts most callers on exactly the cap once it is
/// reached, so here the wait is clipped first and spread below the cap.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Jitter {
    /// Not at all: callers that failed together come back together.
    None,
    /// Uniform from nothing to the whole wait. Spreads most; now and then a
    /// wait is close to zero.
    Full,
    /// Half the wait for certain, the other half uniform.
    Equal,
    /// The wait, more or less by up to this share of it (0 to 1). Near the cap
    /// the middle of the range is lowered to `cap / (1 + share)`, so that its
    /// top is the cap.
    PlusMinus(f64),
    /// The same around the clipped wait, so that a wait may exceed the cap by
    /// this share of it; floored at zero where the share (at least 0) is above 1.
    PlusMinusOverCap(f64),
}

impl Jitter {
    pub(super) fn check(self, checks: &mut Checks) {
        match self {
            Self::PlusMinus(share) => {
                checks.rule((0.0..=1.0).contains(&share), "jitter", Rule::Share);
            }
            Self::PlusMinusOverCap(share) => {
                let holds = share >= 0.0 && share.is_finite();
                checks.limit(holds, "jitterFactor", Rule::AtLeast, 0.0);
            }
            _ => {}
        }
    }

    /// `raw` nanoseconds, clipped at `cap` and spread. One draw, none for
    /// [`Jitter::None`].
    pub(super) fn apply(self, raw: u64, cap: u64, rng: &mut Rng) -> u64 {
        let wait = raw.min(cap) as f64;
        // `as u64` drops the fraction, maps a negative wait to zero and saturates.
        match self {
            Self::None => raw.min(cap),
            Self::Full => ((wait * rng.unit()) as u64).min(cap),
            Self::Equal => {
                let half = wait * 0.5;
                ((half + half * rng.unit()) as u64).min(cap)
            }
            Self::PlusMinus(share) => {
                let middle = wait.min(cap as f64 / (1.0 + share));
                (around(middle, share, rng) as u64).min(cap)
            }
            Self::PlusMinusOverCap(share) => around(wait, share, rng) as u64,
        }
    }
}

fn around(middle: f64, share: f64, rng: &mut Rng) -> f64 {
    middle + middle * share * (2.0 * rng.unit() - 1.0)
}
