//! Values by number.

use alloc::vec::Vec;
use core::mem::{replace, take};

/// A table that hands out numbers and uses those given back again, the last one first.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
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
        Self { slots: Vec::new(), free: 0, len: 0 }
    }

    /// Keeps `value` and answers its number.
    pub fn insert(&mut self, value: T) -> u32 {
        self.len = self.len.saturating_add(1);
        let number = self.free;
        if let Some(slot) = self.slots.get_mut(number as usize)
            && let Slot::Free(next) = *slot
        {
            self.free = next;
            *slot = Slot::Used(value);
        } else {
            self.slots.push(Slot::Used(value));
            self.free = self.free.saturating_add(1);
        }
        number
    }

    /// The value of that number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&T> {
        match self.slots.get(number as usize)? {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// The value of that number, to change it.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        match self.slots.get_mut(number as usize)? {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// Takes the value out; its number may be handed out again.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let slot = self.slots.get_mut(number as usize)?;
        if let Slot::Free(_) = slot {
            return None;
        }
        self.len = self.len.saturating_sub(1);
        match replace(slot, Slot::Free(replace(&mut self.free, number))) {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// Takes all values out.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        take(self).slots.into_iter().filter_map(|slot| match slot {
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
}
