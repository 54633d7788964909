//! The last N calls: a ring of bits with running totals.

use alloc::boxed::Box;
use alloc::vec;

use super::Counts;

const WORD: u32 = u64::BITS;

/// The outcomes of the last `size` calls, one bit each for "failed" and "slow".
///
/// Adding a call costs the same whatever the size; adding `n` successes at once
/// costs one step per 64 of them, and never more than the ring has.
#[derive(Debug, Clone)]
pub(crate) struct CountWindow {
    size: u32,
    next: u32,
    counts: Counts,
    failed: Box<[u64]>,
    slow: Box<[u64]>,
}

impl CountWindow {
    pub(crate) fn new(size: u32) -> Self {
        let words = size.div_ceil(WORD) as usize;
        Self {
            size,
            next: 0,
            counts: Counts::default(),
            failed: vec![0; words].into(),
            slow: vec![0; words].into(),
        }
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.size);
    }

    /// Adds one call, dropping the oldest where the ring is full.
    pub(crate) fn push(&mut self, failed: bool, slow: bool) {
        let (word, bit) = place(self.next);
        let was_failed = replace(&mut self.failed, word, bit, failed);
        let was_slow = replace(&mut self.slow, word, bit, slow);
        self.counts.failures = swap_one(self.counts.failures, was_failed, failed);
        self.counts.slow = swap_one(self.counts.slow, was_slow, slow);
        self.counts.calls = self.counts.calls.saturating_add(1).min(self.size);
        self.next = self.next.saturating_add(1);
        if self.next >= self.size {
            self.next = 0;
        }
    }

    /// Adds `count` calls that were neither failed nor slow.
    pub(crate) fn push_successes(&mut self, count: u32) {
        if count >= self.size {
            self.failed.fill(0);
            self.slow.fill(0);
            self.counts = Counts { calls: self.size, ..Counts::default() };
            return;
        }
        let mut left = count;
        while left > 0 {
            let (word, bit) = place(self.next);
            let to_word_end = WORD.saturating_sub(bit);
            let to_ring_end = self.size.saturating_sub(self.next);
            let run = left.min(to_word_end).min(to_ring_end);
            let mask = ones(run).wrapping_shl(bit);
            self.counts.failures =
                self.counts.failures.saturating_sub(clear(&mut self.failed, word, mask));
            self.counts.slow = self.counts.slow.saturating_sub(clear(&mut self.slow, word, mask));
            self.next = self.next.saturating_add(run);
            if self.next >= self.size {
                self.next = 0;
            }
            left = left.saturating_sub(run);
        }
        self.counts.calls = self.counts.calls.saturating_add(count).min(self.size);
    }

    /// The calls from the oldest to the newest, as (failed, slow).
    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = (bool, bool)> + '_ {
        let start = if self.counts.calls < self.size { 0 } else { self.next };
        (0..self.counts.calls).map(move |i| {
            let index = start.wrapping_add(i).checked_rem(self.size).unwrap_or(0);
            let (word, bit) = place(index);
            (is_set(&self.failed, word, bit), is_set(&self.slow, word, bit))
        })
    }
}

const fn place(index: u32) -> (usize, u32) {
    ((index / WORD) as usize, index % WORD)
}

const fn ones(count: u32) -> u64 {
    if count >= WORD { u64::MAX } else { (1u64 << count).wrapping_sub(1) }
}

fn is_set(words: &[u64], word: usize, bit: u32) -> bool {
    words.get(word).is_some_and(|w| w & 1u64.wrapping_shl(bit) != 0)
}

fn replace(words: &mut [u64], word: usize, bit: u32, to: bool) -> bool {
    let Some(w) = words.get_mut(word) else { return false };
    let mask = 1u64.wrapping_shl(bit);
    let was = *w & mask != 0;
    if to {
        *w |= mask;
    } else {
        *w &= !mask;
    }
    was
}

fn clear(words: &mut [u64], word: usize, mask: u64) -> u32 {
    let Some(w) = words.get_mut(word) else { return 0 };
    let cleared = (*w & mask).count_ones();
    *w &= !mask;
    cleared
}

const fn swap_one(total: u32, out: bool, into: bool) -> u32 {
    total.saturating_sub(out as u32).saturating_add(into as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;

    #[test]
    fn equals_a_recount_of_the_last_calls() {
        let mut rng = crate::Rng::new(3);
        for size in [1, 2, 63, 64, 65, 100, 128, 1000] {
            let mut window = CountWindow::new(size);
            let mut naive: VecDeque<(bool, bool)> = VecDeque::new();
            for _ in 0..600 {
                if rng.unit() < 0.5 {
                    let call = (rng.unit() < 0.5, rng.unit() < 0.3);
                    window.push(call.0, call.1);
                    naive.push_back(call);
                } else {
                    let count = (rng.unit() * 150.0) as u32;
                    window.push_successes(count);
                    naive.extend((0..count).map(|_| (false, false)));
                }
                while naive.len() > size as usize {
                    naive.pop_front();
                }
                let counts = window.counts();
                assert_eq!(counts.calls as usize, naive.len());
                assert_eq!(counts.failures as usize, naive.iter().filter(|c| c.0).count());
                assert_eq!(counts.slow as usize, naive.iter().filter(|c| c.1).count());
                assert!(window.oldest_first().eq(naive.iter().copied()));
            }
        }
    }
}
