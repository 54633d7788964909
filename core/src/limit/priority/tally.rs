//! How often each of a few hundred values occurs, with ranks in logarithmic time.

use alloc::vec;
use alloc::vec::Vec;

/// Counts by value (a Fenwick tree): changing one and asking for a rank take ten steps for a
/// thousand values, however many are counted. Up to 65,535 of them.
#[derive(Debug, Clone)]
pub(super) struct Tally(Vec<u16>);

impl Tally {
    /// For values from 0 to `2^bits - 1`.
    pub(super) fn new(bits: u32) -> Self {
        Self(vec![0; 1usize.wrapping_shl(bits)])
    }

    /// Counts `value` so many times more.
    #[inline(never)]
    pub(super) fn add(&mut self, value: u16, by: u16) {
        let mut place = usize::from(value).wrapping_add(1);
        while let Some(sum) = self.0.get_mut(place.wrapping_sub(1)) {
            *sum = sum.wrapping_add(by);
            place = place.wrapping_add(place & place.wrapping_neg());
        }
    }

    /// Takes so many counts of `value` back.
    pub(super) fn take(&mut self, value: u16, by: u16) {
        self.add(value, by.wrapping_neg());
    }

    /// How many counted are below `value`.
    pub(super) fn below(&self, value: u16) -> u32 {
        let mut place = usize::from(value);
        let mut count = 0u32;
        while let Some(sum) = self.0.get(place.wrapping_sub(1)) {
            count = count.wrapping_add(u32::from(*sum));
            place &= place.wrapping_sub(1);
        }
        count
    }

    /// The value that has `rank` others before it in order; the last one for a rank beyond all.
    pub(super) fn at(&self, rank: u32) -> u16 {
        let mut left = rank;
        let mut place = 0usize;
        let mut step = self.0.len();
        while step > 0 {
            let next = place.wrapping_add(step);
            if let Some(sum) = self.0.get(next.wrapping_sub(1))
                && u32::from(*sum) <= left
            {
                left = left.wrapping_sub(u32::from(*sum));
                place = next;
            }
            step >>= 1;
        }
        u16::try_from(place.min(self.0.len().wrapping_sub(1))).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn agrees_with_a_sorted_list() {
        let mut rng = Rng::new(3);
        let mut tally = Tally::new(9);
        let mut list: Vec<u16> = Vec::new();
        for _ in 0..3_000 {
            if list.len() > 300 {
                let gone = list.swap_remove((rng.unit() * list.len() as f64) as usize);
                tally.take(gone, 1);
            }
            let value = rng.between(0.0, 500.0) as u16;
            list.push(value);
            tally.add(value, 1);
            let mut sorted = list.clone();
            sorted.sort_unstable();
            let rank = (rng.unit() * sorted.len() as f64) as usize;
            assert_eq!(tally.at(rank as u32), sorted[rank]);
            let below = sorted.iter().filter(|other| **other < value).count();
            assert_eq!(tally.below(value), below as u32);
        }
        assert_eq!((tally.at(u32::MAX), Tally::new(9).at(0)), (511, 511));
    }
}
