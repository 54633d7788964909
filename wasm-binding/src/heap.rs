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
const CLASSES: usize = 128;
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
            // The number of pages there were, or the highest number where there are no more.
            let begin = core::arch::wasm32::memory_grow::<0>(bytes / PAGE).checked_mul(PAGE);
            let Some(begin) = begin else { return ptr::null_mut() };
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

// Checked by the compiler: the crate's tests would have to run in WASM.
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
