//! What many durations have in common.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;

/// What many durations have in common, in the unit they were given in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// Their arithmetic mean.
    pub mean: f64,
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
    /// The shortest that at least 95 % do not exceed.
    pub p95: f64,
    /// The shortest that at least 99 % do not exceed.
    pub p99: f64,
    /// How many are longer than the limit given.
    pub slow: usize,
}

impl Summary {
    /// The summary of `durations`, of which those above `slow_above` count as
    /// slow; `None` for an empty list. A NaN makes the mean NaN.
    #[must_use]
    pub fn of(durations: &[f64], slow_above: f64) -> Option<Self> {
        let sorted = sorted(durations);
        Some(Self {
            count: durations.len(),
            mean: durations.iter().sum::<f64>() / durations.len() as f64,
            min: *sorted.first()?,
            max: *sorted.last()?,
            p95: nearest_rank(&sorted, 95)?,
            p99: nearest_rank(&sorted, 99)?,
            slow: durations.iter().filter(|duration| **duration > slow_above).count(),
        })
    }

    /// What to look into, given the limit above which a duration is slow.
    #[must_use]
    pub fn advice(&self, slow_above: f64) -> Advice {
        Advice {
            many_slow: self.slow.saturating_mul(10) > self.count,
            near_limit: self.mean > slow_above / 2.0,
        }
    }
}

/// What a [`Summary`] suggests to look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// More than a tenth is slow.
    pub many_slow: bool,
    /// The mean is more than half of what counts as slow.
    pub near_limit: bool,
}

/// `values` in the order of [`f64::total_cmp`]. A heap of their bits makes 3.9 KB of WASM less than
/// `sort_unstable_by`.
fn sorted(values: &[f64]) -> Vec<f64> {
    // An involution: below zero, all bits but the sign are turned over.
    let ordered = |bits: i64| bits ^ ((bits >> 63) & i64::MAX);
    let heap: BinaryHeap<i64> =
        values.iter().map(|value| ordered(value.to_bits().cast_signed())).collect();
    let sorted = heap.into_sorted_vec().into_iter();
    sorted.map(|bits| f64::from_bits(ordered(bits).cast_unsigned())).collect()
}

/// The smallest entry of `sorted` that at least `percent` % of the entries do
/// not exceed, `None` for an empty list: the nearest-rank definition, of which
/// every result is one of the values measured.
#[must_use]
pub fn nearest_rank(sorted: &[f64], percent: u8) -> Option<f64> {
    let rank = sorted.len().saturating_mul(usize::from(percent)).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).or_else(|| sorted.last()).copied()
}

/// Whether more than 80 % of a pool's connections are in use; never for an empty pool.
#[must_use]
pub fn is_busy(active: f64, total: f64) -> bool {
    total > 0.0 && active / total > 0.8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_kind_are_sorted() {
        let values = [3.5, -0.0, f64::NAN, -2.0, f64::INFINITY, 0.0, -1e300, 1e-300];
        let mut expected = values;
        expected.sort_by(f64::total_cmp);
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&sorted(&values)), bits(&expected));
    }

    #[test]
    fn a_rank_lies_within_the_list_for_every_percentage() {
        let sorted = [1.0, 2.0, 3.0];
        assert_eq!(nearest_rank(&sorted, 0), Some(1.0));
        assert_eq!(nearest_rank(&sorted, 34), Some(2.0));
        assert_eq!(nearest_rank(&sorted, 100), Some(3.0));
        assert_eq!(nearest_rank(&sorted, 255), Some(3.0));
        assert_eq!(nearest_rank(&[], 50), None);
    }
}
