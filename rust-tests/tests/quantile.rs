//! The moving quantile against the exact one of a window, and against the estimate that needs no
//! window, which it was chosen over.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use seawall::quantile::Latencies;
use seawall::{Instant, Rng};

const WINDOW: usize = 2000;

/// The exact quantile of the last latencies.
struct Exact(VecDeque<f64>);

impl Exact {
    fn record(&mut self, ms: f64) {
        self.0.push_back(ms);
        if self.0.len() > WINDOW {
            self.0.pop_front();
        }
    }

    fn quantile(&self, q: f64) -> f64 {
        let mut all: Vec<_> = self.0.iter().copied().collect();
        all.sort_by(f64::total_cmp);
        let rank = (q * all.len() as f64).ceil() as usize;
        all[rank.max(1) - 1]
    }
}

/// The windowless estimate: steps of a share of the estimate, up by `q`, down by `1 - q`.
struct Windowless {
    q: f64,
    estimate: f64,
}

impl Windowless {
    fn record(&mut self, ms: f64) {
        const RATE: f64 = 0.01;
        if self.estimate == 0.0 {
            self.estimate = ms;
        } else if ms > self.estimate {
            self.estimate *= 1.0 + RATE * self.q;
        } else {
            self.estimate *= 1.0 - RATE * (1.0 - self.q);
        }
    }
}

/// Latencies like those of services: mostly near 20 ms, a tail to the right.
fn latency(rng: &mut Rng, scale: f64) -> f64 {
    let normal: f64 = (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0;
    20.0 * scale * (0.5 * normal).exp()
}

struct Errors {
    ours: f64,
    windowless: f64,
}

/// The mean relative errors while latencies come, one a millisecond, of this `scale` at each.
fn errors(q: f64, count: usize, from: usize, scale: impl Fn(usize) -> f64) -> Errors {
    let mut rng = Rng::new(7);
    let mut exact = Exact(VecDeque::new());
    let mut windowless = Windowless { q, estimate: 0.0 };
    // The window between half and whole is the exact one on average.
    let mut ours = Latencies::new(Duration::from_millis(WINDOW as u64 * 4 / 3));
    let mut errors = Errors { ours: 0.0, windowless: 0.0 };
    let mut looks = 0.0;
    for i in 0..count {
        let ms = latency(&mut rng, scale(i));
        let now = Instant::from_millis(i as f64);
        exact.record(ms);
        windowless.record(ms);
        ours.record(Duration::from_secs_f64(ms / 1e3), now);
        if i >= from && i % 50 == 0 {
            let want = exact.quantile(q);
            let got = ours.quantile(q, now).unwrap().as_secs_f64() * 1e3;
            errors.ours += (got / want - 1.0).abs();
            errors.windowless += (windowless.estimate / want - 1.0).abs();
            looks += 1.0;
        }
    }
    errors.ours /= looks;
    errors.windowless /= looks;
    errors
}

#[test]
fn accurate_where_latencies_stay_the_same() {
    for (q, most) in [(0.5, 0.01), (0.95, 0.03), (0.99, 0.05)] {
        let Errors { ours, windowless } = errors(q, 40_000, 10_000, |_| 1.0);
        println!("{q} steady: ours {ours:.4}, windowless {windowless:.4}");
        assert!(ours < most, "{q}: {ours}");
        assert!(ours < windowless, "{q}: {ours}, windowless {windowless}");
    }
}

#[test]
fn follows_a_change() {
    for q in [0.5, 0.95, 0.99] {
        let change = |i| if i / 8000 % 2 == 0 { 1.0 } else { 4.0 };
        let Errors { ours, windowless } = errors(q, 64_000, 8_000, change);
        println!("{q} changing: ours {ours:.4}, windowless {windowless:.4}");
        assert!(ours < windowless, "{q}: {ours}, windowless {windowless}");
    }
}

#[test]
fn latencies_are_forgotten_after_the_window_and_not_before_half_of_it() {
    let mut latencies = Latencies::new(Duration::from_secs(10));
    let at = |ms: u64| Instant::ZERO.after(Duration::from_millis(ms));
    latencies.record(Duration::from_secs(1), at(4_999));
    assert_eq!(latencies.count(at(9_999)), 1);
    assert_eq!(latencies.count(at(10_000)), 0);
    latencies.record(Duration::from_secs(1), at(10_000));
    assert_eq!(latencies.count(at(15_000)), 1);
    assert_eq!(latencies.count(at(20_000)), 0);
    latencies.record(Duration::from_secs(1), at(20_000));
    assert_eq!(latencies.count(at(3_600_000)), 0, "and at once after a long pause");
    assert_eq!(latencies.quantile(0.5, at(3_600_000)), None);
}

proptest! {
    #[test]
    fn any_quantile_is_that_of_a_list_within_a_bucket(
        list in prop::collection::vec(1_000u64..4_000_000_000_000, 1..200),
        q in 0.0..=1.0f64,
    ) {
        let mut latencies = Latencies::new(Duration::from_secs(60));
        for nanos in &list {
            latencies.record(Duration::from_nanos(*nanos), Instant::ZERO);
        }
        let mut sorted = list.clone();
        sorted.sort_unstable();
        let rank = ((q * list.len() as f64).ceil() as usize).max(1);
        let want = sorted[rank - 1] as f64;
        let got = latencies.quantile(q, Instant::ZERO).unwrap().as_nanos() as f64;
        let room = want / 16.0 + 1024.0;
        prop_assert!((got - want).abs() <= room, "{got} for {want}");
    }

    #[test]
    fn never_more_than_there_are(
        steps in prop::collection::vec((0u64..9_000, 0u64..100_000), 1..300),
    ) {
        // The naive model: between the latencies of half a window and those of a whole one.
        let mut latencies = Latencies::new(Duration::from_millis(10_000));
        let mut model: Vec<u64> = Vec::new();
        let mut now = 0;
        for (wait, latency) in steps {
            now += wait;
            let at = Instant::from_millis(now as f64);
            latencies.record(Duration::from_millis(latency), at);
            model.push(now);
            let within = |age| model.iter().filter(|then| now - **then < age).count() as u32;
            let count = latencies.count(at);
            prop_assert!(count >= within(5_000) && count <= within(10_000));
        }
    }
}
