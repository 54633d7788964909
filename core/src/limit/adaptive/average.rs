//! Smoothing of numbers that come once per window.

/// An exponential moving average of age `n` (each number weighs `2 / (n + 1)`), the plain mean of
/// the first `warm_up` numbers.
#[derive(Debug, Clone)]
pub(super) struct Average {
    weight: f64,
    warm_up: u32,
    count: u32,
    value: f64,
}

impl Average {
    pub(super) fn new(age: u32, warm_up: u32) -> Self {
        let weight = 2.0 / (f64::from(age) + 1.0);
        Self { weight, warm_up, count: 0, value: 0.0 }
    }

    pub(super) fn add(&mut self, number: f64) -> f64 {
        self.count = self.count.saturating_add(1);
        let weight =
            if self.count <= self.warm_up { 1.0 / f64::from(self.count) } else { self.weight };
        self.value += (number - self.value) * weight;
        self.value
    }

    /// The average, `None` without numbers.
    pub(super) fn value(&self) -> Option<f64> {
        (self.count > 0).then_some(self.value)
    }

    /// Whether there were as many numbers as its warm-up takes.
    pub(super) const fn is_warm(&self) -> bool {
        self.count >= self.warm_up
    }

    pub(super) fn scale(&mut self, factor: f64) {
        self.value *= factor;
    }
}

const MEDIAN_OF: usize = 5;

/// The median of the last five numbers, of as many as there were before.
#[derive(Debug, Clone, Default)]
pub(super) struct Median {
    last: [f64; MEDIAN_OF],
    count: usize,
}

impl Median {
    pub(super) fn add(&mut self, number: f64) -> f64 {
        if let Some(place) = self.last.get_mut(self.count % MEDIAN_OF) {
            *place = number;
        }
        self.count = self.count.wrapping_add(1);
        let held = self.count.min(MEDIAN_OF);
        let mut sorted = self.last;
        let Some(sorted) = sorted.get_mut(..held) else { return number };
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(held / 2).copied().unwrap_or(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_first_then_the_moving_average() {
        let mut average = Average::new(3, 2);
        assert_eq!((average.value(), average.is_warm()), (None, false));
        assert_eq!(average.add(1.0), 1.0);
        assert_eq!(average.add(3.0), 2.0);
        assert!(average.is_warm());
        assert_eq!(average.add(4.0), 3.0);
    }

    #[test]
    fn the_middle_of_the_last_five() {
        let mut median = Median::default();
        let found: Vec<_> = [9.0, 1.0, 5.0, 4.0, 3.0, 2.0, 8.0].map(|n| median.add(n)).into();
        assert_eq!(found, [9.0, 9.0, 5.0, 5.0, 4.0, 3.0, 4.0]);
    }
}
