//! Bytes that were read and not passed on yet.

/// Room for a head and what comes with it.
const SMALL: usize = 16 * 1024;
/// Room for bodies: more in one piece saves little.
const LARGE: usize = 64 * 1024;

/// Bytes at the end of a place that grows to what is needed. What is read at once is bounded, so that
/// it is no larger than who asks for room has to have in one piece, and a little.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// How much memory it has.
    #[cfg(test)]
    pub(super) const fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Room for more, never empty. A buffer that was filled to its end grows. More than `LARGE` bytes
    /// are there only where somebody asks again and again, without letting go of any.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.len());
            }
            if self.end == self.bytes.len() {
                let size = match self.bytes.len() {
                    0 => SMALL,
                    SMALL => LARGE,
                    size => size * 2,
                };
                self.bytes.resize(size, 0);
            }
        }
        let most = LARGE.saturating_sub(self.len()).max(SMALL);
        let end = self.bytes.len().min(self.end + most);
        &mut self.bytes[self.end..end]
    }

    pub(super) fn added(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
        // A body that fills it at once goes on in larger pieces.
        if self.end == SMALL && self.bytes.len() == SMALL {
            self.bytes.resize(LARGE, 0);
        }
    }

    /// Gives memory back while nothing is expected; what is in it stays.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() && self.bytes.len() > SMALL {
            self.bytes = Vec::new();
        }
    }

    /// The same to the last byte, for connections that may be quiet for long.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            self.bytes = Vec::new();
        }
    }
}
