//! A set that several threads ask, and a block of words that is read without asking.

use alloc::boxed::Box;

use super::set::HealthSet;
use super::verdict::{Kind, Reason, Verdict};
use crate::Instant;
use crate::sync::{AtomicU64, Mutex, Ordering, fence, lock, spin_loop};

/// How many words a [`Block`] has.
pub const BLOCK_WORDS: usize = 32;

/// Words of one answer; the answers begin at this word.
const STRIDE: usize = 8;

/// The answers as of the last change, each word the bits of an `f64`, for readers on any thread.
///
/// Word 0 counts the changes, and is odd during one. From word `8 * (1 + kind)` on, for each
/// [`Kind`]: whether it passes (1 or 0), the number of the [`Reason`], the check behind it or -1,
/// since when (ms), until when it holds (ms), the check that is too old then or -1.
#[derive(Debug)]
pub struct Block(Box<[AtomicU64]>);

impl Default for Block {
    fn default() -> Self {
        Self((0..BLOCK_WORDS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Block {
    /// The words. They never move.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        &self.0
    }

    fn read(&self, word: usize) -> f64 {
        f64::from_bits(self.0.get(word).map_or(0, |word| word.load(Ordering::Relaxed)))
    }

    fn write(&self, word: usize, value: f64) {
        if let Some(word) = self.0.get(word) {
            word.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// The answer to one question at `now`.
    #[must_use]
    pub fn verdict(&self, kind: Kind, now: Instant) -> Verdict {
        let at = STRIDE.saturating_mul((kind as usize).saturating_add(1));
        let check = |number: f64| (number >= 0.0).then_some(number as u32);
        loop {
            let before = self.0.first().map_or(0, |word| word.load(Ordering::Acquire));
            let word = |index: usize| self.read(at.saturating_add(index));
            let verdict = Verdict {
                passing: word(0) > 0.0,
                reason: Reason::from_code(word(1) as u32),
                check: check(word(2)),
                since: Instant::from_millis(word(3)),
                until: Instant::from_millis(word(4)),
                ages: check(word(5)),
            };
            fence(Ordering::Acquire);
            let after = self.0.first().map_or(0, |word| word.load(Ordering::Relaxed));
            if before == after && f64::from_bits(before) % 2.0 == 0.0 {
                return verdict.at(now);
            }
            spin_loop();
        }
    }

    /// Written by who holds the lock of the set.
    fn publish(&self, set: &HealthSet, now: Instant) {
        let changes = self.read(0);
        self.write(0, changes + 1.0);
        fence(Ordering::Release);
        for (place, kind) in (1_usize..).zip(Kind::ALL) {
            let words = set.verdict(kind, now).to_numbers();
            for (index, word) in (STRIDE.saturating_mul(place)..).zip(words) {
                self.write(index, word);
            }
        }
        if let Some(word) = self.0.first() {
            word.store((changes + 2.0).to_bits(), Ordering::Release);
        }
    }
}

/// A [`HealthSet`] for several threads, whose answers stand in a [`Block`].
#[derive(Debug)]
pub struct SharedHealth {
    set: Mutex<HealthSet>,
    block: Block,
}

impl SharedHealth {
    /// A set without checks.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let set = HealthSet::new(now);
        let block = Block::default();
        block.publish(&set, now);
        Self { set: Mutex::new(set), block }
    }

    /// The answers as of the last change.
    #[must_use]
    pub const fn block(&self) -> &Block {
        &self.block
    }

    /// What `act` answers of the set.
    pub fn read<R>(&self, act: impl FnOnce(&HealthSet) -> R) -> R {
        act(&lock(&self.set))
    }

    /// What `act` answers that may change the set at `now`; the block is written anew.
    pub fn change<R>(&self, now: Instant, act: impl FnOnce(&mut HealthSet) -> R) -> R {
        let mut set = lock(&self.set);
        let answer = act(&mut set);
        self.block.publish(&set, now);
        answer
    }
}
