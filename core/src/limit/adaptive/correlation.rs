//! How throughput goes along with the calls in flight, over the last windows.

/// Windows remembered.
const WINDOWS: usize = 20;
/// Windows without which nothing is said.
const LEAST_WINDOWS: usize = 10;
/// Calls in flight that vary by less than this share of their mean say nothing.
const LEAST_VARIATION: f64 = 0.02;

#[derive(Debug, Clone, Copy)]
struct Point {
    in_flight: f64,
    throughput: f64,
}

/// Calls in flight and throughput of the last windows.
#[derive(Debug, Clone)]
pub(super) struct History {
    points: [Point; WINDOWS],
    count: usize,
}

impl History {
    pub(super) const fn new() -> Self {
        Self { points: [Point { in_flight: 0.0, throughput: 0.0 }; WINDOWS], count: 0 }
    }

    pub(super) fn add(&mut self, in_flight: f64, throughput: f64) {
        if let Some(place) = self.points.get_mut(self.count % WINDOWS) {
            *place = Point { in_flight, throughput };
        }
        self.count = self.count.wrapping_add(1);
    }

    /// By how many percent throughput grew for each percent of calls in flight more (the slope of
    /// the line of least squares): 1 where each call added is served beside the others, 0 where it
    /// waits, below 0 where it hinders them. `None` where nothing can be said.
    pub(super) fn gain(&self) -> Option<f64> {
        let points = self.points.get(..self.count.min(WINDOWS)).unwrap_or(&[]);
        let count = points.len() as f64;
        let (mut in_flight, mut throughput) = (0.0, 0.0);
        for point in points {
            in_flight += point.in_flight / count;
            throughput += point.throughput / count;
        }
        let (mut squares, mut products) = (0.0, 0.0);
        for point in points {
            let away = point.in_flight - in_flight;
            squares += away * away;
            products += away * (point.throughput - throughput);
        }
        let least = LEAST_VARIATION * in_flight;
        let tells =
            points.len() >= LEAST_WINDOWS && squares > count * least * least && throughput > 0.0;
        tells.then(|| products / squares * in_flight / throughput)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gain(points: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
        let mut history = History::new();
        for (in_flight, throughput) in points {
            history.add(in_flight, throughput);
        }
        history.gain()
    }

    #[test]
    fn beside_each_other_waiting_and_hindering() {
        let at = |slope: f64| gain((10..30).map(f64::from).map(|n| (n, 20.0 + slope * (n - 19.5))));
        assert!((at(20.0 / 19.5).unwrap() - 1.0).abs() < 1e-9);
        assert!(at(0.0).unwrap().abs() < 1e-9);
        assert!(at(-1.0).unwrap() < -0.9);
    }

    #[test]
    fn nothing_is_said_of_what_hardly_varies_or_is_too_little() {
        assert_eq!(gain([].into_iter()), None);
        assert_eq!(gain((0..9).map(f64::from).map(|n| (n, n))), None);
        assert_eq!(gain((0..40).map(f64::from).map(|n| (20.0, n))), None);
        assert_eq!(gain((0..40).map(f64::from).map(|n| (n, 0.0))), None);
    }

    #[test]
    fn only_the_last_windows_count() {
        let falling = (0..30).map(f64::from).map(|n| (n, 50.0 - n));
        let rising = (1..=20).map(f64::from).map(|n| (n, n));
        assert!((gain(falling.chain(rising)).unwrap() - 1.0).abs() < 1e-9);
    }
}
