//! Memory for bytes on their way: one large buffer for each thread, which is enough while the other
//! side takes everything at once, and some to spare for what it does not take.

use std::cell::{Cell, RefCell};

/// Large enough for most answers at once, small enough to stay in the processor's cache.
pub(super) const SIZE: usize = 64 * 1024;
/// How many buffers a thread keeps for the next connections that need one.
const SPARE: usize = 32;

thread_local! {
    static SHARED: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `act` with this thread's buffer.
pub(super) fn with_shared<T>(act: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = SHARED.take().unwrap_or_else(|| vec![0; SIZE].into_boxed_slice());
    let result = act(&mut buffer);
    SHARED.set(Some(buffer));
    result
}

/// Bytes the other side has not taken yet; an idle connection has none.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    at: usize,
}

impl Held {
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Keeps `bytes` after those that are here.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// So many were taken.
    pub(super) fn took(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
        if self.is_empty() {
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        self.at = 0;
        let mut bytes = std::mem::take(&mut self.bytes);
        // What a client sent before anybody took it may have become larger.
        if bytes.capacity() == 0 || bytes.capacity() > 2 * SIZE {
            return;
        }
        bytes.clear();
        // A thread that ends has no pool any more.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < SPARE {
                free.push(bytes);
            }
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.let_go();
    }
}
