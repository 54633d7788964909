//! What lists lack.

use alloc::vec::Vec;
use core::mem::replace;

/// Takes the entry at `place` out, whose place the last one takes; the last one where there is none
/// there. `Vec::swap_remove` would panic then, and bring the words for it into the WASM.
pub(crate) fn swap_out<T>(list: &mut Vec<T>, place: usize) -> Option<T> {
    let last = list.pop()?;
    Some(match list.get_mut(place) {
        Some(entry) => replace(entry, last),
        None => last,
    })
}

/// First in, first out.
///
/// A list whose head moves on, and that is moved up once half of it lies before the head: constant
/// time on average, as `VecDeque`, whose two parts are half a kilobyte of WASM more.
#[derive(Debug, Clone)]
pub(crate) struct Fifo<T> {
    list: Vec<T>,
    head: usize,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Fifo<T> {
    pub(crate) const fn new() -> Self {
        Self { list: Vec::new(), head: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.list.len().saturating_sub(self.head)
    }
}

impl<T: Copy> Fifo<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        self.list.get(self.head..).unwrap_or(&[])
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.list.get_mut(self.head.saturating_add(index))
    }

    pub(crate) fn first(&self) -> Option<&T> {
        self.list.get(self.head)
    }

    pub(crate) fn push(&mut self, entry: T) {
        self.list.push(entry);
    }

    pub(crate) fn pop(&mut self) {
        self.drop_first(1);
    }

    /// Drops so many from the front, all where there are fewer.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(crate) fn drop_first(&mut self, count: usize) {
        let len = self.list.len();
        self.head = self.head.saturating_add(count).min(len);
        let left = len.saturating_sub(self.head);
        if self.head >= left {
            // Not `copy_within`, whose panics LLVM does not see through.
            if let Some((gone, rest)) = self.list.split_at_mut_checked(self.head)
                && let Some(place) = gone.get_mut(..rest.len())
            {
                place.copy_from_slice(rest);
            }
            self.list.truncate(left);
            self.head = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.head = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use alloc::vec;

    #[test]
    fn the_last_one_takes_the_place() {
        let mut list = vec![1, 2, 3, 4];
        assert_eq!(swap_out(&mut list, 1), Some(2));
        assert_eq!(swap_out(&mut list, 2), Some(3));
        assert_eq!((swap_out(&mut list, 9), &*list), (Some(4), &[1][..]));
        assert_eq!((swap_out(&mut list, 0), swap_out(&mut list, 0)), (Some(1), None));
    }

    #[test]
    fn agrees_with_a_queue_and_stays_small() {
        let (mut fifo, mut queue) = (Fifo::new(), VecDeque::new());
        let mut rng = crate::Rng::new(5);
        let mut most = 0;
        for round in 0..20_000 {
            if rng.unit() < 0.5 {
                fifo.push(round);
                queue.push_back(round);
            } else {
                fifo.pop();
                queue.pop_front();
            }
            most = most.max(queue.len());
            let index = (rng.unit() * 20.0) as usize;
            assert_eq!(fifo.get_mut(index), queue.get_mut(index));
            assert_eq!((fifo.first(), fifo.len()), (queue.front(), queue.len()));
            assert!(fifo.as_slice().iter().eq(&queue));
            assert!(fifo.list.len() <= 2 * most + 1);
        }
        fifo.drop_first(usize::MAX);
        assert_eq!((fifo.len(), fifo.head), (0, 0));
    }
}
