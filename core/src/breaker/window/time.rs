//! The calls of the last while: slices of equal length with running totals.

use alloc::boxed::Box;
use alloc::vec;
use core::time::Duration;

use super::Counts;
use crate::time::{Instant, nanos, product};

/// The calls of the last `span`, in slices.
///
/// Slices begin at multiples of their length. The newest is the one under way,
/// so the window reaches back between `span - slice` and `span`. Every slice
/// skipped since the last call is cleared, however long the gap.
#[derive(Debug, Clone)]
pub(crate) struct TimeWindow {
    slice: u64,
    slices: Box<[Counts]>,
    head: usize,
    /// The number of the slice under `head`, counted from the clock's origin; `None` before any call.
    number: Option<u64>,
    total: Counts,
}

impl TimeWindow {
    pub(crate) fn new(span: Duration, slices: u32) -> Self {
        let slices = slices.max(1);
        let slice = nanos(span).checked_div(u64::from(slices)).unwrap_or(1).max(1);
        Self {
            slice,
            slices: vec![Counts::default(); slices as usize].into(),
            head: 0,
            number: None,
            total: Counts::default(),
        }
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.total
    }

    pub(crate) fn clear(&mut self) {
        self.slices.fill(Counts::default());
        self.total = Counts::default();
    }

    /// From when to when the slice under way runs; `None` before any call.
    pub(crate) fn slice(&self) -> Option<(Instant, Instant)> {
        let start = product(self.number?, self.slice);
        Some((Instant::from_nanos(start), Instant::from_nanos(start.saturating_add(self.slice))))
    }

    /// Moves on to `now`, clearing what is too old.
    pub(crate) fn advance(&mut self, now: Instant) {
        let number = now.as_nanos().checked_div(self.slice).unwrap_or(0);
        let skipped = number.saturating_sub(self.number.unwrap_or(number));
        self.number = Some(self.number.map_or(number, |old| old.max(number)));
        if skipped >= self.slices.len() as u64 {
            self.clear();
            return;
        }
        for _ in 0..skipped {
            self.head = self.head.saturating_add(1);
            if self.head >= self.slices.len() {
                self.head = 0;
            }
            if let Some(slice) = self.slices.get_mut(self.head) {
                self.total = self.total.minus(*slice);
                *slice = Counts::default();
            }
        }
    }

    /// Adds calls to the slice under way.
    pub(crate) fn add(&mut self, calls: Counts) {
        if let Some(slice) = self.slices.get_mut(self.head) {
            *slice = slice.plus(calls);
            self.total = self.total.plus(calls);
        }
    }

    /// The slices from the newest to the oldest.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = Counts> + '_ {
        let len = self.slices.len();
        (0..len).filter_map(move |back| {
            let index = self.head.wrapping_add(len).wrapping_sub(back).checked_rem(len)?;
            self.slices.get(index).copied()
        })
    }

    /// Takes slices, newest first, the newest of which began `slices_ago` slices before that of `now`.
    pub(crate) fn restore(
        &mut self,
        now: Instant,
        slices_ago: u64,
        newest_first: impl Iterator<Item = Counts>,
    ) {
        self.clear();
        self.advance(now);
        let len = self.slices.len();
        let skip = usize::try_from(slices_ago).unwrap_or(usize::MAX);
        for (back, counts) in newest_first.enumerate() {
            let back = back.saturating_add(skip);
            if back >= len {
                break;
            }
            let index = self.head.wrapping_add(len).wrapping_sub(back).checked_rem(len);
            if let Some(slice) = index.and_then(|index| self.slices.get_mut(index)) {
                *slice = counts;
                self.total = self.total.plus(counts);
            }
        }
    }

    /// The length of one slice.
    pub(crate) const fn slice_nanos(&self) -> u64 {
        self.slice
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn equals_a_recount_whatever_the_gaps() {
        let mut rng = crate::Rng::new(5);
        for slices in [1u32, 2, 10, 60] {
            let span = Duration::from_millis(u64::from(slices) * 100);
            let mut window = TimeWindow::new(span, slices);
            let mut naive: Vec<(u64, Counts)> = Vec::new();
            let mut now = 0u64;
            for _ in 0..2000 {
                now += match (rng.unit() * 10.0) as u32 {
                    0 => 0,
                    1 => 100_000_000_000,
                    2 => 100_000_000,
                    _ => (rng.unit() * 150e6) as u64,
                };
                window.advance(Instant::from_nanos(now));
                let calls = Counts {
                    calls: 1,
                    failures: u32::from(rng.unit() < 0.5),
                    slow: u32::from(rng.unit() < 0.5),
                };
                window.add(calls);
                naive.push((now / 100_000_000, calls));
                let newest = now / 100_000_000;
                let want = naive
                    .iter()
                    .filter(|(n, _)| n + u64::from(slices) > newest)
                    .fold(Counts::default(), |sum, (_, c)| sum.plus(*c));
                assert_eq!(window.counts(), want);
            }
        }
    }
}
