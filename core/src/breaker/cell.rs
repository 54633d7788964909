//! The few words by which a caller may act without asking.
//!
//! Each caller that runs on its own (an isolate of JavaScript, a thread with a
//! handle) owns one cell. The breaker writes what the caller may do; the caller
//! writes how many calls it let through on that word. A success thus costs one
//! read and one write to memory nobody else writes, which is what makes a closed
//! breaker cheaper than a function call across the boundary.
//!
//! | byte | word | written by | holds |
//! |---|---|---|---|
//! | 0 | u32 | breaker | the [`Gate`] |
//! | 4 | u32 | caller | successes let through by the gate, ever, modulo 2^32 |
//! | 8 | u32 | breaker | the number of successes at which the caller asks |
//! | 12 | u32 | caller | calls refused by the gate, ever, modulo 2^32 |
//! | 16 | f64 | breaker | from when the gate holds, in ms of the caller's clock |
//! | 24 | f64 | breaker | until when |
//!
//! The caller's counters only grow and the breaker remembers what it has taken, so
//! no side ever writes a word of the other.

use alloc::boxed::Box;

use super::machine::State;
use super::permit::GENERATION_BITS;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Bytes of a cell.
pub const CELL_BYTES: usize = 32;

/// What a caller may do without asking: bits 0 and 1 say which, bits 2 to 4 the
/// [`State`], the rest the generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate(pub u32);

impl Gate {
    /// Ask for each call.
    pub const ASK: u32 = 0;
    /// Let calls through; report failures, count successes.
    pub const ADMIT: u32 = 1;
    /// Refuse calls within the cell's time.
    pub const REFUSE: u32 = 2;

    const STATE_SHIFT: u32 = 2;
    const GENERATION_SHIFT: u32 = u32::BITS - GENERATION_BITS;

    pub(crate) const fn new(kind: u32, state: State, generation: u32) -> Self {
        Self(kind | ((state as u32) << Self::STATE_SHIFT) | (generation << Self::GENERATION_SHIFT))
    }

    /// One of [`Gate::ASK`], [`Gate::ADMIT`], [`Gate::REFUSE`].
    #[must_use]
    pub const fn kind(self) -> u32 {
        self.0 & 3
    }

    /// Whether somebody holds the breaker isolated, in whichever mode.
    #[cfg(feature = "tower")]
    pub(crate) const fn is_isolated(self) -> bool {
        (self.0 >> Self::STATE_SHIFT) & 7 == State::Isolated as u32
    }

    /// Whether it lets calls through, as it did when a call of `generation` was.
    pub(crate) const fn lets_all_of(self, generation: u32) -> bool {
        self.kind() == Self::ADMIT && self.generation() == generation
    }

    /// The generation that wrote it.
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.0 >> Self::GENERATION_SHIFT
    }
}

/// The words of one caller; see the [module](self) for what each holds.
#[derive(Debug)]
#[repr(C, align(8))]
pub struct Cell {
    pub(crate) gate: AtomicU32,
    pub(crate) successes: AtomicU32,
    pub(crate) ask_at: AtomicU32,
    pub(crate) refused: AtomicU32,
    from: AtomicU64,
    until: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Cell>() == CELL_BYTES);

impl Default for Cell {
    fn default() -> Self {
        Self {
            gate: AtomicU32::new(Gate::ASK),
            successes: AtomicU32::new(0),
            ask_at: AtomicU32::new(0),
            refused: AtomicU32::new(0),
            from: AtomicU64::new(0),
            until: AtomicU64::new(0),
        }
    }
}

impl Cell {
    /// Writes what the caller may do; the gate last, so that who sees it sees its time.
    pub(crate) fn publish(&self, gate: Gate, ask_at: u32, from_ms: f64, until_ms: f64) {
        self.from.store(from_ms.to_bits(), Ordering::Relaxed);
        self.until.store(until_ms.to_bits(), Ordering::Relaxed);
        self.ask_at.store(ask_at, Ordering::Relaxed);
        self.gate.store(gate.0, Ordering::Release);
    }

    /// Counts a success as the only writer of this cell; whether it is time to ask.
    pub(crate) fn add_success_alone(&self) -> bool {
        let successes = self.successes.load(Ordering::Relaxed).wrapping_add(1);
        self.successes.store(successes, Ordering::Relaxed);
        is_reached(successes, self.ask_at.load(Ordering::Relaxed))
    }

    /// Counts a success as one of several writers; whether it is time to ask.
    pub(crate) fn add_success_shared(&self) -> bool {
        let successes = self.successes.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        is_reached(successes, self.ask_at.load(Ordering::Relaxed))
    }

    /// Counts a refusal as the only writer of this cell.
    pub(crate) fn add_refused_alone(&self) {
        let refused = self.refused.load(Ordering::Relaxed).wrapping_add(1);
        self.refused.store(refused, Ordering::Relaxed);
    }

    /// Counts a refusal as one of several writers.
    pub(crate) fn add_refused_shared(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a counter modulo 2^32 has come to `mark` or up to 2^31 past it.
pub(crate) const fn is_reached(count: u32, mark: u32) -> bool {
    count.wrapping_sub(mark) < 1 << 31
}

/// A run of cells that stays where it is in memory.
#[derive(Debug)]
pub struct Block(Box<[Cell]>);

impl Block {
    /// `len` cells that ask for everything.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self((0..len).map(|_| Cell::default()).collect())
    }

    /// The cells.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.0
    }
}
