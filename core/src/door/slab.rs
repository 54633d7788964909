//! Values by number.

use alloc::vec::Vec;
use core::mem::{replace, take};

/// Slots of one page: a power of two, so that a page which grew by doubling has no room to spare.
const PAGE: usize = 256;

/// A table that hands out numbers and uses those given back again, the last one first. It grows by
/// pages: one list that doubles would leave as much again unused, which WASM memory never gives back.
#[derive(Debug)]
pub struct Slab<T> {
    pages: Vec<Vec<Slot<T>>>,
    /// The first free slot; where none is, the next new one.
    free: u32,
    len: u32,
}

#[derive(Debug)]
enum Slot<T> {
    Used(T),
    /// The next free slot.
    Free(u32),
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slab<T> {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { pages: Vec::new(), free: 0, len: 0 }
    }

    /// Keeps `value` and answers its number.
    pub fn insert(&mut self, value: T) -> u32 {
        self.len = self.len.saturating_add(1);
        let number = self.free;
        if let Some(slot) = self.slot_mut(number)
            && let Slot::Free(next) = *slot
        {
            *slot = Slot::Used(value);
            self.free = next;
        } else {
            if self.pages.last().is_none_or(|page| page.len() == PAGE) {
                self.pages.push(Vec::new());
            }
            if let Some(page) = self.pages.last_mut() {
                page.push(Slot::Used(value));
            }
            self.free = self.free.saturating_add(1);
        }
        number
    }

    /// The value of that number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&T> {
        match self.pages.get(number as usize / PAGE)?.get(number as usize % PAGE)? {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// The value of that number, to change it.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        match self.slot_mut(number)? {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    fn slot_mut(&mut self, number: u32) -> Option<&mut Slot<T>> {
        self.pages.get_mut(number as usize / PAGE)?.get_mut(number as usize % PAGE)
    }

    /// Takes the value out; its number may be handed out again.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let free = self.free;
        let slot = self.slot_mut(number)?;
        if let Slot::Free(_) = slot {
            return None;
        }
        let taken = replace(slot, Slot::Free(free));
        self.free = number;
        self.len = self.len.saturating_sub(1);
        match taken {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// Takes all values out.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        take(self).pages.into_iter().flatten().filter_map(|slot| match slot {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        })
    }

    /// How many values it keeps.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether it keeps none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!(slab.remove(a), None);
        assert_eq!((slab.get(a), slab.get(9), slab.len()), (None, None, 1));
        assert_eq!(slab.get_mut(a), None);
        assert_eq!(slab.insert('c'), a);
        assert_eq!((slab.get(a), slab.get(b), slab.len()), (Some(&'c'), Some(&'b'), 2));
        assert_eq!((slab.remove(a), slab.remove(b)), (Some('c'), Some('b')));
        assert_eq!((slab.insert('d'), slab.insert('e'), slab.insert('f')), (b, a, 2));
        assert_eq!(slab.drain().count(), 3);
        assert!(slab.is_empty() && slab.insert('g') == 0);
    }

    #[test]
    fn pages_follow_each_other() {
        let mut slab = Slab::new();
        for number in 0..1_000 {
            assert_eq!(slab.insert(number), number);
        }
        assert!((0..1_000).all(|number| slab.get(number) == Some(&number)));
        assert_eq!((slab.remove(700), slab.remove(3), slab.len()), (Some(700), Some(3), 998));
        assert_eq!((slab.insert(0), slab.insert(1), slab.insert(2)), (3, 700, 1_000));
        assert_eq!((slab.get(1_000), slab.get(1_001)), (Some(&2), None));
        assert!(
            slab.drain().eq((0..3)
                .chain([0])
                .chain(4..700)
                .chain([1])
                .chain(701..1_000)
                .chain([2]))
        );
    }
}
