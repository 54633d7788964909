//! Cells for one isolate, handed out and taken back.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::cell::Block;

/// Cells of one block: 16 KB.
pub const BLOCK_CELLS: u32 = 512;

/// Where a cell lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number of the block.
    pub block: u32,
    /// The cell within it.
    pub index: u32,
}

/// The cells of one isolate, in blocks that never move. Places given back are used again first.
#[derive(Debug, Default)]
pub struct Arena {
    blocks: Vec<Arc<Block>>,
    used: u32,
    free: Vec<Place>,
}

impl Arena {
    /// An arena without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { blocks: Vec::new(), used: BLOCK_CELLS, free: Vec::new() }
    }

    /// A cell nobody uses.
    pub fn take(&mut self) -> Place {
        if let Some(place) = self.free.pop() {
            return place;
        }
        if self.used >= BLOCK_CELLS {
            self.blocks.push(Arc::new(Block::new(BLOCK_CELLS as usize)));
            self.used = 0;
        }
        let block = u32::try_from(self.blocks.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let index = self.used;
        self.used = self.used.saturating_add(1);
        Place { block, index }
    }

    /// Takes a cell back.
    pub fn give_back(&mut self, place: Place) {
        self.free.push(place);
    }

    /// The block of that number.
    #[must_use]
    pub fn block(&self, block: u32) -> Option<&Arc<Block>> {
        self.blocks.get(block as usize)
    }

    /// Cells in use.
    #[must_use]
    pub fn in_use(&self) -> usize {
        let full = self.blocks.len().saturating_sub(1).saturating_mul(BLOCK_CELLS as usize);
        if self.blocks.is_empty() {
            return 0;
        }
        full.saturating_add(self.used as usize).saturating_sub(self.free.len())
    }
}
