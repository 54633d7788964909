//! Periodic jobs: the grid, no overlap, no drift.

use std::time::Duration;

use proptest::prelude::*;
use seawall::periodic::{Offset, Periodic, PeriodicConfig};
use seawall::{Instant, Rng};

fn seconds(seconds: f64) -> Instant {
    Instant::from_millis(seconds * 1000.0)
}

/// The listing of three processes with offsets 17, 42 and 11 s and a period of 60 s.
#[test]
fn offsets_keep_processes_apart() {
    let mut runs = Vec::new();
    for offset in [17, 42, 11] {
        let mut config = PeriodicConfig::new(Duration::from_secs(60));
        config.offset = Offset::Fixed(Duration::from_secs(offset));
        let mut job = Periodic::new(config, Instant::ZERO, Rng::new(1)).unwrap();
        for _ in 0..3 {
            let due = job.due().unwrap();
            runs.push(due.as_millis() / 1000.0);
            assert!(job.begin(due));
            assert_eq!(job.finish(due), 0);
        }
    }
    runs.sort_by(f64::total_cmp);
    assert_eq!(runs, [71.0, 77.0, 102.0, 131.0, 137.0, 162.0, 191.0, 197.0, 222.0]);
}

#[test]
fn a_random_offset_covers_the_period() {
    let config = PeriodicConfig::new(Duration::from_secs(60));
    let mut parts = [0u32; 6];
    for seed in 0..6000 {
        let due = Periodic::new(config, Instant::ZERO, Rng::new(seed)).unwrap().due().unwrap();
        assert!(due >= seconds(60.0) && due < seconds(120.0));
        parts[(due.as_millis() / 10_000.0) as usize - 6] += 1;
    }
    assert!(parts.iter().all(|part| (850..1150).contains(part)), "{parts:?}");
}

#[test]
fn refuses_what_makes_no_sense() {
    let refused = |period, jitter| {
        let config = PeriodicConfig { jitter, ..PeriodicConfig::new(period) };
        Periodic::new(config, Instant::ZERO, Rng::new(1)).unwrap_err().field
    };
    assert_eq!(refused(Duration::ZERO, 0.0), "periodMs");
    for jitter in [-0.1, 0.6, f64::NAN] {
        assert_eq!(refused(Duration::from_secs(1), jitter), "jitter");
    }
}

proptest! {
    #[test]
    fn stays_on_the_grid_whatever_the_runs_last(
        period in 1..100_000u64,
        offset in 0..100_000u64,
        start in any::<u32>(),
        jitter in 0.0..=0.5f64,
        runs in prop::collection::vec((0..5000u64, 0..300_000u64), 1..50),
        seed in any::<u64>(),
    ) {
        let start = Instant::from_millis(f64::from(start));
        let offset = Duration::from_millis(offset);
        let config =
            PeriodicConfig { period: Duration::from_millis(period), offset: Offset::Fixed(offset), jitter };
        let mut job = Periodic::new(config, start, Rng::new(seed)).unwrap();
        let mut points = 0.0;
        for (late, lasts) in runs {
            let due = job.due().unwrap();
            let point = due.since(start.after(offset)).as_secs_f64() * 1000.0 / period as f64;
            let nearest = (point - point.round()).abs();
            prop_assert!(jitter > 0.0 || nearest < 1e-6, "off the grid by {nearest}");
            prop_assert!(point > points - 2.0 * jitter, "{points} then {point}");
            points = point;
            if due > Instant::ZERO {
                prop_assert!(!job.begin(Instant::from_nanos(due.as_nanos() - 1)), "too early");
            }
            let begun = due.after(Duration::from_millis(late));
            prop_assert!(job.begin(begun));
            prop_assert!(!job.begin(begun), "overlap");
            prop_assert_eq!(job.due(), None);
            let over = begun.after(Duration::from_millis(lasts));
            job.finish(over);
            let shift = Duration::from_nanos((period as f64 * jitter * 1e6) as u64 + 1);
            prop_assert!(job.due().unwrap().after(shift) > over, "a point that has passed");
        }
    }

    #[test]
    fn any_time_is_safe(period in 1..u64::MAX, times in prop::collection::vec(any::<u64>(), 1..20)) {
        let config = PeriodicConfig { jitter: 0.5, ..PeriodicConfig::new(Duration::from_nanos(period)) };
        let mut job = Periodic::new(config, Instant::from_nanos(times[0]), Rng::new(1)).unwrap();
        for time in times {
            let now = Instant::from_nanos(time);
            let due = job.due().unwrap();
            prop_assert_eq!(job.begin(now), now >= due);
            job.finish(now);
        }
    }
}
