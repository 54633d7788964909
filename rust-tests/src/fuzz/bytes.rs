//! Choices made of a fuzzer's bytes. Where there are no more, everything is zero.

use std::time::Duration;

/// Bytes, taken from the front.
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: u32) -> u32 {
        u32::from_le_bytes([self.byte(), if end > 256 { self.byte() } else { 0 }, 0, 0]) % end
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(u32::try_from(of.len()).expect("few")) as usize]
    }

    pub fn bool(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn millis(&mut self) -> Duration {
        let millis = self.one(&[0, 1, 5, 10, 20, 50, 100, 1000]);
        Duration::from_millis(millis)
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }
}

/// The numbers that `bytes` are, eight bytes each, and some that decide at the edges.
pub fn numbers(bytes: &[u8]) -> Vec<f64> {
    let edges = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        100.0,
        1e9,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::from(u32::MAX),
        9_007_199_254_740_993.0,
        1.8e19,
    ];
    let mut bytes = Bytes::new(bytes);
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        let kind = bytes.byte();
        numbers.push(match edges.get(usize::from(kind)) {
            Some(edge) => *edge,
            None if kind < 128 => f64::from(kind),
            None if kind < 192 => f64::from(bytes.below(65_536)) / 16.0,
            None => f64::from_bits(bytes.u64()),
        });
    }
    numbers
}
