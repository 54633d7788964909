//! Calls in the order they came, each to be taken out again in constant time.

use alloc::vec::Vec;

use crate::Instant;

const NONE: u32 = u32::MAX;

/// A call that waits, until it is let in, expired or cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiter {
    slot: u32,
    /// How often the slot was taken and left: who keeps an old waiter cannot cancel a new one.
    turn: u32,
}

impl Waiter {
    /// A small number that no other call has while this one waits.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.slot
    }
}

#[derive(Debug, Clone)]
struct Slot {
    /// Odd while somebody waits here.
    turn: u32,
    since: Instant,
    /// Who came before; of no use in a free slot.
    before: u32,
    /// Who came after; in a free slot the next free one.
    after: u32,
}

/// A list through slots that are used again, the last one left first.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    slots: Vec<Slot>,
    free: u32,
    first: u32,
    last: u32,
    len: u32,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: NONE, first: NONE, last: NONE, len: 0 }
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// Who came first, and when.
    pub(super) fn first(&self) -> Option<(Waiter, Instant)> {
        let slot = self.slots.get(self.first as usize)?;
        Some((Waiter { slot: self.first, turn: slot.turn }, slot.since))
    }

    /// Who waits in that slot.
    pub(super) fn at(&self, slot: u32) -> Option<Waiter> {
        let turn = self.slots.get(slot as usize)?.turn;
        (turn & 1 == 1).then_some(Waiter { slot, turn })
    }

    /// Queues up at the end.
    pub(super) fn push(&mut self, since: Instant) -> Waiter {
        let slot = if self.free == NONE { self.grow() } else { self.free };
        let mut turn = 1;
        if let Some(place) = self.slots.get_mut(slot as usize) {
            self.free = place.after;
            turn = place.turn.wrapping_add(1);
            *place = Slot { turn, since, before: self.last, after: NONE };
        }
        match self.slots.get_mut(self.last as usize) {
            Some(last) => last.after = slot,
            None => self.first = slot,
        }
        self.last = slot;
        self.len = self.len.saturating_add(1);
        Waiter { slot, turn }
    }

    fn grow(&mut self) -> u32 {
        self.slots.push(Slot { turn: 0, since: Instant::ZERO, before: NONE, after: NONE });
        u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(NONE)
    }

    /// Takes one out, wherever it stands; false if it does not wait any more.
    pub(super) fn remove(&mut self, waiter: Waiter) -> bool {
        if self.at(waiter.slot) != Some(waiter) {
            return false;
        }
        let Some(place) = self.slots.get_mut(waiter.slot as usize) else { return false };
        let (before, after) = (place.before, place.after);
        place.turn = place.turn.wrapping_add(1);
        place.after = self.free;
        self.free = waiter.slot;
        match self.slots.get_mut(before as usize) {
            Some(other) => other.after = after,
            None => self.first = after,
        }
        match self.slots.get_mut(after as usize) {
            Some(other) => other.before = before,
            None => self.last = before,
        }
        self.len = self.len.saturating_sub(1);
        true
    }
}
