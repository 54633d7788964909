//! A sketch of latencies of one size, with quantiles.

use crate::time::product;

/// Latencies below this many nanoseconds (1 µs) share the first bucket.
const LEAST_EXPONENT: u32 = 10;
/// Each power of two is cut into this many buckets.
const CUTS: usize = 1 << CUT_BITS;
const CUT_BITS: u32 = 3;
/// Powers of two; what is longer than 2^40 ns (18 minutes) shares the last bucket.
const POWERS: usize = 30;
const BUCKETS: usize = POWERS * CUTS;

/// Counts of latencies in buckets an eighth of a power of two wide. An addition costs the same few
/// steps whatever it holds, and no arithmetic that differs between platforms.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    counts: [u32; BUCKETS],
    len: u32,
}

impl Histogram {
    pub(super) const fn new() -> Self {
        Self { counts: [0; BUCKETS], len: 0 }
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn clear(&mut self) {
        self.counts.fill(0);
        self.len = 0;
    }

    pub(super) fn add(&mut self, nanos: u64) {
        if let Some(count) = self.counts.get_mut(bucket(nanos)) {
            *count = count.saturating_add(1);
            self.len = self.len.saturating_add(1);
        }
    }

    /// The latency in nanoseconds that the share `q` does not exceed, interpolated within its
    /// bucket; `None` without latencies.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let rank = f64::from(self.len) * q;
        let mut below = 0.0;
        for (index, &count) in self.counts.iter().enumerate() {
            let count = f64::from(count);
            if count > 0.0 && below + count >= rank {
                let (low, width) = bounds(index);
                return Some(low + width * ((rank - below) / count).max(0.0));
            }
            below += count;
        }
        None
    }
}

fn bucket(nanos: u64) -> usize {
    let nanos = nanos.max(1 << LEAST_EXPONENT);
    let exponent = nanos.ilog2();
    let cut = (nanos >> exponent.saturating_sub(CUT_BITS)) as usize & (CUTS - 1);
    let power = exponent.saturating_sub(LEAST_EXPONENT) as usize;
    power.saturating_mul(CUTS).saturating_add(cut).min(BUCKETS - 1)
}

/// The least latency of a bucket and how far it reaches, in nanoseconds.
fn bounds(index: usize) -> (f64, f64) {
    let power = LEAST_EXPONENT.saturating_add((index / CUTS) as u32);
    let unit = 1u64.wrapping_shl(power.saturating_sub(CUT_BITS));
    let low = product(unit, (CUTS as u64).saturating_add((index % CUTS) as u64));
    (low as f64, unit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_latency_lies_within_its_bucket() {
        for nanos in (0..200).map(|i| 1024 + i * i * i * 977) {
            let (low, width) = bounds(bucket(nanos));
            assert!((low..low + width).contains(&(nanos as f64)), "{nanos}: {low} {width}");
            assert!(width <= low / 8.0);
        }
        assert_eq!((bucket(0), bucket(1023), bucket(u64::MAX)), (0, 0, BUCKETS - 1));
    }

    #[test]
    fn quantiles_are_near_the_true_ones() {
        let mut sketch = Histogram::new();
        assert_eq!(sketch.quantile(0.5), None);
        for i in 1..=10_000u64 {
            sketch.add(i * 10_000);
        }
        for q in [0.01, 0.25, 0.5, 0.9, 0.99, 1.0] {
            let found = sketch.quantile(q).unwrap();
            assert!((found / (q * 1e8) - 1.0).abs() < 0.02, "{q}: {found}");
        }
        sketch.clear();
        assert_eq!((sketch.len(), sketch.quantile(0.5)), (0, None));
    }
}
