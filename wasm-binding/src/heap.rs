//! The memory of the engine.
//!
//! Blocks come in a few sizes, at most a quarter larger than what was asked for. A block given
//! back goes on the list of its size, and the next one of that size comes from there: both cost
//! the same few steps however many blocks there are. Blocks are neither split nor merged, so the
//! engine keeps what each size once needed at most; nothing an engine holds varies in size enough
//! to make that much more than what it needs at the time.
//!
//! Measured with everything else equal: the default of Rust's standard library (dlmalloc) takes
//! 8.2 KB of the WASM, this one 0.5 KB.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;

/// Blocks are a multiple of this and lie on one.
const STEP: usize = 16;
/// Four sizes from each power of two to the next.
const CLASSES: usize = 4 * usize::BITS as usize;
/// What the memory grows by at least: its own page.
const PAGE: usize = 1 << 16;

/// The number of the size that holds `size` bytes, and that size. `size` is at most `isize::MAX`.
const fn class(size: usize) -> (usize, usize) {
    // The last byte, counted from 0, decides: its highest bit and the two below.
    let last = size.saturating_sub(1) | (STEP - 1);
    let highest = last.ilog2() as usize;
    let below = highest - 2;
    let quarter = last >> below;
    (highest * 4 + (quarter & 3), (quarter + 1) << below)
}

/// A block that was given back, in whose place the list of its size goes on.
struct Spare {
    next: *mut Spare,
}

struct State {
    spare: [*mut Spare; CLASSES],
    /// The rest of the memory that no block was ever made of.
    start: usize,
    end: usize,
}

/// The allocator of a WASM instance.
pub(crate) struct Heap(UnsafeCell<State>);

impl Heap {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(State { spare: [ptr::null_mut(); CLASSES], start: 0, end: 0 }))
    }
}

// SAFETY: WASM without the `atomics` feature has one thread, and with it this does not compile.
unsafe impl Sync for Heap {}

#[cfg(target_feature = "atomics")]
compile_error!("the heap of the WASM engine serves one thread");

impl State {
    /// A block of `size` bytes that was none before, or null where the memory ends.
    fn fresh(&mut self, size: usize) -> *mut u8 {
        if self.end - self.start < size {
            let bytes = size.next_multiple_of(PAGE);
            let Some(begin) = grow(bytes / PAGE) else { return ptr::null_mut() };
            let Some(end) = begin.checked_add(bytes) else { return ptr::null_mut() };
            // Where nobody else made the memory grow, it goes on where the rest lies.
            if begin != self.end {
                self.start = begin;
            }
            self.end = end;
        }
        let block = self.start;
        self.start += size;
        ptr::with_exposed_provenance_mut(block)
    }
}

/// More memory of so many pages: where it begins.
#[cfg(target_family = "wasm")]
fn grow(pages: usize) -> Option<usize> {
    // The number of pages there were, or the highest number where there are no more.
    core::arch::wasm32::memory_grow::<0>(pages).checked_mul(PAGE)
}

#[cfg(not(target_family = "wasm"))]
use tests::grow;

// SAFETY: a block is handed out once until it is given back, is at least as large as asked for,
// and lies on a multiple of 16; a stricter alignment is refused with null.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > STEP {
            return ptr::null_mut();
        }
        let (class, size) = class(layout.size());
        // SAFETY: there is one thread, and nothing below calls back into the heap.
        let state = unsafe { &mut *self.0.get() };
        let Some(list) = state.spare.get_mut(class) else { return ptr::null_mut() };
        if list.is_null() {
            return state.fresh(size);
        }
        let block = *list;
        // SAFETY: the block is on the list, so nobody uses it and it holds the next one's place.
        *list = unsafe { (*block).next };
        block.cast()
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (class, _) = class(layout.size());
        // SAFETY: as in `alloc`.
        let state = unsafe { &mut *self.0.get() };
        let Some(list) = state.spare.get_mut(class) else { return };
        let block: *mut Spare = block.cast();
        // SAFETY: the caller gives up a block of ours, which is large enough and aligned.
        unsafe { block.write(Spare { next: *list }) };
        *list = block;
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if class(layout.size()).0 == class(size).0 {
            return block;
        }
        // SAFETY: the caller promises that `size` makes a valid layout with this alignment.
        let layout_now = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: `size` is not zero, as the caller promises.
        let new = unsafe { self.alloc(layout_now) };
        if !new.is_null() {
            // SAFETY: both are blocks of at least that many bytes, and two different ones.
            unsafe { ptr::copy_nonoverlapping(block, new, layout.size().min(size)) };
            // SAFETY: the caller gives `block` up.
            unsafe { self.dealloc(block, layout) };
        }
        new
    }
}

// Checked by the compiler, for WASM and for the machine that runs the tests.
const _: () = {
    let mut size = 1;
    while size < 100_000 {
        let (number, room) = class(size);
        assert!(room >= size && room.is_multiple_of(STEP) && number < CLASSES);
        assert!(room <= STEP || room * 4 <= size * 5 + 4 * STEP);
        assert!(class(room).0 == number && class(room + 1).0 > number);
        size += 37;
    }
    assert!(class(isize::MAX as usize).0 < CLASSES);
};

#[cfg(test)]
mod tests {
    use std::alloc::System;
    use std::cell::Cell;

    use super::*;

    /// How many pages the memory of a test may have.
    const MOST: usize = 24;

    thread_local! {
        /// Where the memory begins, and how many of its pages are in use.
        static MEMORY: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }

    /// As WASM does it: the new pages lie behind the old ones.
    pub(super) fn grow(pages: usize) -> Option<usize> {
        let (begin, used) = MEMORY.get();
        let more = used.checked_add(pages).filter(|more| *more <= MOST)?;
        MEMORY.set((begin, more));
        Some(begin + used * PAGE)
    }

    /// Runs with a memory of its own, of whatever content.
    fn with_memory(run: impl FnOnce(&Heap)) {
        let layout = Layout::from_size_align(MOST * PAGE, PAGE).unwrap();
        // SAFETY: the size is not zero.
        let memory = unsafe { System.alloc(layout) };
        assert!(!memory.is_null());
        MEMORY.set((memory.expose_provenance(), 0));
        run(&Heap::new());
        // SAFETY: it was allocated above with this layout, and the heap on it is gone.
        unsafe { System.dealloc(memory, layout) };
    }

    /// A block, and the byte that all of it holds.
    struct Held {
        block: *mut u8,
        layout: Layout,
        byte: u8,
    }

    impl Held {
        fn new(heap: &Heap, size: usize, byte: u8) -> Option<Self> {
            let layout = Layout::from_size_align(size, STEP).unwrap();
            // SAFETY: the size is not zero.
            let block = unsafe { heap.alloc(layout) };
            if block.is_null() {
                return None;
            }
            assert_eq!(block.addr() % STEP, 0);
            // SAFETY: the block holds so many bytes.
            unsafe { block.write_bytes(byte, size) };
            Some(Self { block, layout, byte })
        }

        /// The first so many bytes are those that were written, whatever other blocks hold.
        fn assert_whole(&self, size: usize) {
            // SAFETY: all of the block was written, and nobody else has it.
            let bytes = unsafe { std::slice::from_raw_parts(self.block, size) };
            assert!(bytes.iter().all(|byte| *byte == self.byte));
        }

        fn resize(&mut self, heap: &Heap, size: usize) {
            // SAFETY: the block is of this heap and layout, and the size is not zero.
            let block = unsafe { heap.realloc(self.block, self.layout, size) };
            if block.is_null() {
                return;
            }
            let kept = size.min(self.layout.size());
            self.block = block;
            self.layout = Layout::from_size_align(size, STEP).unwrap();
            self.assert_whole(kept);
            // SAFETY: the block now holds so many bytes.
            unsafe { block.write_bytes(self.byte, size) };
        }

        fn free(self, heap: &Heap) {
            self.assert_whole(self.layout.size());
            // SAFETY: the block is of this heap and layout, and is used no more.
            unsafe { heap.dealloc(self.block, self.layout) };
        }
    }

    #[test]
    fn blocks_keep_what_is_written_into_them() {
        with_memory(|heap| {
            let mut rng = seawall::Rng::new(3);
            let mut held: Vec<Held> = Vec::new();
            let mut refused = 0;
            let (steps, most) = if cfg!(miri) { (250, 800.0) } else { (20_000, 40_000.0) };
            for step in 0..steps {
                let size = 1 + (rng.unit() * rng.unit() * rng.unit() * most) as usize;
                match ((rng.unit() * 4.0) as u32, held.len()) {
                    (0 | 1, _) | (_, 0) => match Held::new(heap, size, step as u8) {
                        Some(block) => held.push(block),
                        None => refused += 1,
                    },
                    (2, len) => held[(rng.unit() * len as f64) as usize].resize(heap, size),
                    (_, len) => held.swap_remove((rng.unit() * len as f64) as usize).free(heap),
                }
                if held.len() > 150 {
                    held.drain(..100).for_each(|block| block.free(heap));
                }
            }
            assert!(refused < steps / 4, "what was given back is used again: {refused}");
            held.into_iter().for_each(|block| block.free(heap));
        });
    }

    #[test]
    fn memory_that_others_made_grow_is_not_ours() {
        with_memory(|heap| {
            let before = Held::new(heap, 100, 1).unwrap();
            let theirs = grow(1).unwrap();
            let large = Held::new(heap, PAGE, 2).unwrap();
            assert_eq!(large.block.addr(), theirs + PAGE);
            before.free(heap);
            large.free(heap);
        });
    }

    #[test]
    fn where_the_memory_ends_there_is_no_block() {
        with_memory(|heap| {
            assert!(Held::new(heap, MOST * PAGE + 1, 1).is_none());
            assert!(Held::new(heap, isize::MAX as usize - STEP, 1).is_none());
            let strict = Layout::from_size_align(64, 32).unwrap();
            // SAFETY: the size is not zero.
            assert!(unsafe { heap.alloc(strict) }.is_null());
            Held::new(heap, 1000, 1).unwrap().free(heap);
        });
    }
}
