//! Client throttling against its formula and a recount of its window.

use std::time::Duration;

use proptest::prelude::*;
use seawall::limit::throttle::{Throttle, ThrottleConfig, ThrottleOptions};
use seawall::options::Rule;
use seawall::{Instant, Outcome, Rng};
use seawall_tests::cases;

fn ms(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

fn throttle(change: impl FnOnce(&mut ThrottleConfig)) -> Throttle {
    let mut config = ThrottleConfig::default();
    change(&mut config);
    Throttle::new(config).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(100)))]

    #[test]
    fn the_probability_is_the_formula_over_a_recount(
        k in 1.0f64..4.0,
        minimum in 0u32..40,
        max in 0.1f64..1.0,
        calls in prop::collection::vec((
            prop_oneof![8 => 0u64..300, 1 => 1000u64..9000, 1 => Just(3_600_000u64)], 0u32..4,
        ), 1..300),
    ) {
        let window = Duration::from_millis(10_000);
        let config = ThrottleConfig { k, window, minimum_calls: minimum, max_rejection: max };
        let mut throttle = Throttle::new(config).unwrap();
        let mut rng = Rng::new(1);
        // Slices of half a second: the slice of each call, and whether it succeeded.
        let mut log: Vec<(u64, bool)> = Vec::new();
        let mut now = 0;
        for (gap, what) in calls {
            now += gap;
            let recent = log.iter().filter(|(slice, _)| slice + 20 > now / 500);
            let n = recent.clone().count() as f64;
            let successes = recent.filter(|(_, success)| *success).count() as f64;
            let formula = ((n - k * successes).max(0.0) / (n + 1.0)).min(max);
            let want = if n < f64::from(minimum) { 0.0 } else { formula };
            let got = throttle.rejection(ms(now));
            prop_assert!((got - want).abs() < 1e-12, "{} {}", got, want);
            if want > 0.0 {
                prop_assert_eq!(throttle.untroubled_until(ms(now)), None);
            }
            match what {
                0 | 1 => {
                    throttle.settle(if what == 0 { Outcome::Success } else { Outcome::Failure }, ms(now));
                    log.push((now / 500, what == 0));
                }
                2 => throttle.settle(Outcome::Neutral, ms(now)),
                _ => if !throttle.admit(ms(now), &mut rng) {
                    prop_assert!(want > 0.0);
                    log.push((now / 500, false));
                },
            }
        }
    }

    /// Successes told of later, as the package does it, are successes told of at once.
    #[test]
    fn successes_may_be_told_of_later(
        calls in prop::collection::vec((0u64..2000, 0u32..12), 1..300),
    ) {
        let mut at_once = throttle(|config| config.window = Duration::from_secs(10));
        let mut later = at_once.clone();
        let mut until = later.untroubled_until(ms(0));
        let (mut pending, mut now) = (0, 0);
        for (gap, what) in calls {
            now += gap;
            let outcome = if what == 0 { Outcome::Failure } else { Outcome::Success };
            at_once.settle(outcome, ms(now));
            if outcome == Outcome::Success && until.is_some_and(|until| ms(now) < until) {
                pending += 1;
            } else {
                later.succeeded(std::mem::take(&mut pending));
                later.settle(outcome, ms(now));
                until = later.untroubled_until(ms(now));
                prop_assert_eq!(at_once.explain(ms(now)), later.explain(ms(now)));
            }
        }
    }
}

#[test]
fn after_idle_nothing_of_before_counts() {
    let mut throttle = throttle(|_| {});
    for _ in 0..100 {
        throttle.settle(Outcome::Failure, ms(0));
    }
    assert!(throttle.rejection(ms(0)) > 0.89);
    assert_eq!(throttle.rejection(ms(3_600_000)), 0.0);
    throttle.settle(Outcome::Failure, ms(3_600_000));
    assert_eq!(throttle.rejection(ms(3_600_000)), 0.0);
}

#[test]
fn few_calls_decide_nothing() {
    let mut throttle = throttle(|config| config.minimum_calls = 5);
    for _ in 0..4 {
        throttle.settle(Outcome::Failure, ms(0));
        assert_eq!(throttle.rejection(ms(0)), 0.0);
    }
    throttle.settle(Outcome::Neutral, ms(0));
    assert_eq!(throttle.rejection(ms(0)), 0.0);
    throttle.settle(Outcome::Failure, ms(0));
    assert!(throttle.rejection(ms(0)) > 0.0);
}

/// The other side accepts 100 of 1000 calls a second: it gets about `k` times as many.
#[test]
fn the_other_side_gets_k_times_what_it_accepts() {
    let mut throttle = throttle(|config| config.max_rejection = 1.0);
    let mut rng = Rng::new(7);
    let (mut sent, mut measured) = (0, 0);
    for second in 0..240u64 {
        let mut accepted = 0;
        for call in 0..1000 {
            let now = ms(second * 1000 + call);
            if !throttle.admit(now, &mut rng) {
                continue;
            }
            if second >= 120 {
                sent += 1;
            }
            let good = accepted < 100;
            accepted += u32::from(good);
            throttle.settle(if good { Outcome::Success } else { Outcome::Failure }, now);
        }
        measured += u32::from(second >= 120);
    }
    let rate = f64::from(sent) / f64::from(measured);
    assert!((180.0..220.0).contains(&rate), "{rate}");
}

#[test]
fn the_same_seed_refuses_the_same_calls() {
    let run = |seed| {
        let (mut throttle, mut rng) = (throttle(|_| {}), Rng::new(seed));
        (0..50).for_each(|_| throttle.settle(Outcome::Failure, ms(0)));
        (0..200).map(|_| throttle.admit(ms(0), &mut rng)).collect::<Vec<_>>()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn options_change_and_the_counts_stay() {
    let mut throttle = throttle(|_| {});
    for i in 0..100 {
        throttle.settle(if i % 4 == 0 { Outcome::Success } else { Outcome::Failure }, ms(0));
    }
    let before = throttle.rejection(ms(0));
    let window = Duration::from_secs(5);
    throttle.update(ThrottleConfig { window, ..ThrottleConfig::default() }, ms(100)).unwrap();
    assert_eq!(throttle.rejection(ms(100)), before);
    assert_eq!(throttle.rejection(ms(5_100)), 0.0);
    assert!(
        throttle.update(ThrottleConfig { k: 0.5, ..ThrottleConfig::default() }, ms(0)).is_err()
    );
}

#[test]
fn options_are_checked() {
    let refused = |change: fn(&mut ThrottleOptions)| {
        let mut options = ThrottleOptions::default();
        change(&mut options);
        let problem = options.build().unwrap_err();
        (problem.field, problem.rule)
    };
    assert_eq!(ThrottleOptions::default().build().unwrap(), ThrottleConfig::default());
    assert_eq!(refused(|o| o.k = Some(0.9)), ("k", Rule::AtLeast));
    assert_eq!(refused(|o| o.k = Some(f64::INFINITY)), ("k", Rule::AtMost));
    assert_eq!(refused(|o| o.window_ms = Some(0.0)), ("windowMs", Rule::Above));
    assert_eq!(refused(|o| o.minimum_calls = Some(0.5)), ("minimumCalls", Rule::IntegerAtLeast));
    assert_eq!(refused(|o| o.max_rejection = Some(1.1)), ("maxRejection", Rule::Ratio));
}
