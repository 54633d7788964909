//! A wait drawn between the first one and three times the one before.

use crate::Rng;

/// Uniform in `[base, min(cap, 3 * max(previous, base)))`; see
/// [`Strategy::Decorrelated`](super::Strategy::Decorrelated) for why the range
/// is clipped and not the draw.
pub(super) fn delay(base: u64, previous: u64, cap: u64, rng: &mut Rng) -> u64 {
    let top = previous.max(base).saturating_mul(3).min(cap);
    (rng.between(base as f64, top as f64) as u64).min(cap)
}
