//! A process that ends at a random time.

use core::time::Duration;

use super::uniform;
use crate::Rng;
use crate::fields::Checks;

/// The longest life unless told: 100,000,000 ms, 27.8 hours.
pub const LONGEST_LIFE: Duration = Duration::from_secs(100_000);

/// The exit status that tells a made death from a real one.
pub const EXIT_CODE: u8 = 99;

/// The longest life of the option `longestMs`, for who looks at the checks afterwards.
#[doc(hidden)]
#[must_use]
pub fn longest_life(longest_ms: Option<f64>, checks: &mut Checks) -> Duration {
    checks.millis_or("longestMs", longest_ms, LONGEST_LIFE)
}

/// How long this process lives: uniform from nothing to `longest`.
///
/// ```
/// use seawall::Rng;
/// use seawall::chaos::{LONGEST_LIFE, lifespan};
///
/// assert!(lifespan(LONGEST_LIFE, &mut Rng::new(1)) < LONGEST_LIFE);
/// ```
#[must_use]
pub fn lifespan(longest: Duration, rng: &mut Rng) -> Duration {
    uniform(Duration::ZERO, longest, rng)
}
