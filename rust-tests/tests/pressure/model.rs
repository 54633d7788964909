//! Levels from all that was ever observed.

use proptest::prelude::*;
use seawall::pressure::{PressureConfig, Signal};
use seawall_tests::cases;

use super::{judge, ms, signals};

/// Block, heap and utilisation of each observation there ever was, judged anew each time.
#[derive(Default)]
struct Model {
    seen: Vec<[f64; 3]>,
    levels: Vec<usize>,
}

const LIMITS: [(f64, f64); 3] = [(100.0, 250.0), (0.85, 0.95), (0.90, 0.98)];
const ENTER: [f64; 5] = [0.0, 0.0, 0.25, 0.5, 1.0];

impl Model {
    fn share(x: f64, (soft, hard): (f64, f64)) -> f64 {
        if x.is_finite() { ((x - soft) / (hard - soft)).clamp(0.0, 1.0) } else { 0.0 }
    }

    fn shares(values: &[f64; 3]) -> impl Iterator<Item = f64> {
        values.iter().zip(LIMITS).map(|(x, limits)| Self::share(*x, limits))
    }

    fn pressure(values: &[f64; 3]) -> f64 {
        Self::shares(values).fold(0.0, f64::max)
    }

    /// Whether an observation is reason enough to stay on `level`.
    fn holds(values: &[f64; 3], level: usize) -> bool {
        let near =
            values.iter().zip(LIMITS).any(|(x, (soft, _))| x.is_finite() && *x >= 0.9 * soft);
        let pressure = Self::pressure(values);
        if level == 1 { near || pressure > 0.0 } else { pressure >= 0.9 * ENTER[level] }
    }

    fn observe(&mut self, values: [f64; 3]) -> (usize, f64) {
        let pressure = Self::pressure(&values);
        self.seen.push(values);
        let before = self.levels.last().copied().unwrap_or(0);
        let entered = match pressure {
            1.0 => 4,
            p if p >= 0.5 => 3,
            p if p >= 0.25 => 2,
            p if p > 0.0 => 1,
            _ => 0,
        };
        let held = |values| (1..5).rev().find(|level| Self::holds(values, *level)).unwrap_or(0);
        // How many observations in a row do not hold the level it has been on all the time.
        let mut run = 0;
        for (index, values) in self.seen.iter().enumerate().rev() {
            let level = if index == 0 { 0 } else { self.levels[index - 1] };
            if level != before || held(values) >= before {
                break;
            }
            run += 1;
        }
        let level = if run >= 2 {
            let from = self.seen.len() - run;
            self.seen[from..].iter().map(held).max().unwrap_or(0)
        } else {
            before.max(entered)
        };
        self.levels.push(level);
        (level, pressure.max(ENTER[level]))
    }
}

fn reading() -> impl Strategy<Value = [f64; 3]> {
    let block =
        prop_oneof![4 => Just(0.0), 4 => 80.0f64..260.0, 1 => Just(f64::NAN), 1 => Just(9e9)];
    let heap = prop_oneof![6 => 0.1f64..0.8, 4 => 0.7f64..1.0, 1 => Just(f64::INFINITY)];
    let busy = prop_oneof![6 => 0.0f64..0.8, 4 => 0.8f64..1.0, 1 => Just(f64::NAN)];
    (block, heap, busy).prop_map(|(block, heap, busy)| [block, heap, busy])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(300)))]

    #[test]
    fn levels_are_those_of_the_model(readings in prop::collection::vec(reading(), 1..120)) {
        let mut judge = judge(PressureConfig::default());
        let mut model = Model::default();
        for (number, values) in readings.into_iter().enumerate() {
            let [block, heap, busy] = values;
            judge.observe(ms(number as u64 * 20), &signals([
                (Signal::Block, block), (Signal::HeapUsed, heap * 4e9), (Signal::HeapLimit, 4e9),
                (Signal::Utilization, busy),
            ]));
            let (level, pressure) = model.observe(values.map(|x| x * 4e9 / 4e9));
            prop_assert_eq!(judge.level() as usize, level, "{:?}", model.seen);
            prop_assert!((judge.pressure() - pressure).abs() < 1e-9);
            prop_assert_eq!(judge.threshold() == 0, pressure == 0.0);
        }
    }
}
