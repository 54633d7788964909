//! Hedges: when, how many, and a model.

use std::time::Duration;

use proptest::prelude::*;
use seawall::hedge::{Hedge, HedgeConfig, HedgeOptions, Reason};
use seawall::{Instant, Rng};

const NOW: Instant = Instant::ZERO;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_fixed_delay_before_each_of_so_many() {
    let options =
        HedgeOptions { delay_ms: Some(30.0), max_hedges: Some(2.0), ..Default::default() };
    let mut hedge = options.build().unwrap();
    assert_eq!(hedge.delay(1, None, None, NOW), Ok(ms(30)));
    assert_eq!(hedge.delay(2, None, None, NOW), Ok(ms(30)));
    assert_eq!(hedge.delay(3, None, None, NOW), Err(Reason::Most));
    assert_eq!(hedge.delay(1, Some(ms(4)), None, NOW), Ok(ms(4)), "the caller's word");
    assert_eq!(hedge.delay(1, None, Some(ms(30)), NOW), Err(Reason::Deadline));
    assert_eq!(hedge.delay(1, None, Some(ms(31)), NOW), Ok(ms(30)));
}

#[test]
fn no_hedge_or_the_fallback_until_there_are_enough() {
    let options = |fallback_ms| HedgeOptions {
        quantile: Some(0.9),
        min_samples: Some(3.0),
        fallback_ms,
        min_ms: Some(20.0),
        ..Default::default()
    };
    let mut without = options(None).build().unwrap();
    let mut with = options(Some(70.0)).build().unwrap();
    for left in (1..=3).rev() {
        assert_eq!(without.delay(1, None, None, NOW), Err(Reason::TooFew));
        assert_eq!(with.delay(1, None, None, NOW), Ok(ms(70)));
        assert_eq!(with.ask_after(NOW), left);
        without.record(ms(10), NOW);
        with.record(ms(10), NOW);
    }
    assert_eq!(with.delay(1, None, None, NOW), Ok(ms(20)), "not below the least");
    assert_eq!(without.delay(1, None, None, NOW), Ok(ms(20)));
    let later = NOW.after(ms(60_000));
    assert_eq!(without.delay(1, None, None, later), Err(Reason::TooFew), "they are too old");
}

#[test]
fn what_was_overtaken_counts_so_that_the_quantile_does_not_sink() {
    let mut hedge = Hedge::new(HedgeConfig::following(0.9)).unwrap();
    let mut rng = Rng::new(3);
    let mut hedged = 0_u32;
    for i in 0..20_000 {
        let latency = ms(10 + rng.bits() % 100);
        match hedge.delay(1, None, None, NOW) {
            // The hedge answers 10 ms later, and the first is given up.
            Ok(delay) if latency > delay + ms(10) => {
                hedge.record(delay + ms(10), NOW);
                hedged += u32::from(i >= 1000);
            }
            _ => hedge.record(latency, NOW),
        }
    }
    let delay = hedge.delay(1, None, None, NOW).unwrap();
    assert!(delay.abs_diff(ms(100)) < ms(4), "{delay:?}");
    assert!(hedged < 19_000 / 10);
}

#[test]
fn options_out_of_range_are_named() {
    let refused = |options: HedgeOptions| options.build().unwrap_err().field;
    let base = HedgeOptions::default;
    let both = HedgeOptions { delay_ms: Some(1.0), quantile: Some(0.5), ..base() };
    assert_eq!(refused(both), "delayMs");
    assert_eq!(refused(HedgeOptions { delay_ms: Some(-1.0), ..base() }), "delayMs");
    assert_eq!(refused(HedgeOptions { min_ms: Some(1.0), ..base() }), "delayMs.minMs");
    assert_eq!(refused(HedgeOptions { quantile: Some(2.0), ..base() }), "delayMs.quantile");
    assert_eq!(refused(HedgeOptions { max_hedges: Some(0.0), ..base() }), "maxHedges");
    assert_eq!(refused(HedgeOptions { min_samples: Some(1.5), ..base() }), "minSamples");
    assert_eq!(refused(HedgeOptions { window_ms: Some(0.0), ..base() }), "windowMs");
    assert_eq!(refused(HedgeOptions { fallback_ms: Some(-1.0), ..base() }), "fallbackMs");
}

proptest! {
    #[test]
    fn no_decision_breaks_a_limit(
        latencies in prop::collection::vec((1u64..5_000, 0u64..3_000), 0..100),
        begun in 1u32..6,
        most in 1u32..4,
        minimum in 1u32..40,
        fallback in prop::option::of(0u64..500),
        own in prop::option::of(0u64..500),
        left in prop::option::of(0u64..500),
    ) {
        let mut hedge = HedgeOptions {
            quantile: Some(0.9),
            max_hedges: Some(f64::from(most)),
            min_samples: Some(f64::from(minimum)),
            fallback_ms: fallback.map(|ms| ms as f64),
            window_ms: Some(10_000.0),
            ..Default::default()
        }
        .build()
        .unwrap();
        let mut now = NOW;
        for (latency, wait) in latencies {
            now = now.after(ms(wait));
            hedge.record(ms(latency), now);
        }
        let known = hedge.count(now) >= minimum;
        match hedge.delay(begun, own.map(ms), left.map(ms), now) {
            Ok(delay) => {
                prop_assert!(begun <= most);
                prop_assert!(left.is_none_or(|left| delay < ms(left)));
                if let Some(own) = own {
                    prop_assert_eq!(delay, ms(own));
                } else if !known {
                    prop_assert_eq!(Some(delay), fallback.map(ms));
                }
            }
            Err(Reason::Most) => prop_assert!(begun > most),
            Err(Reason::TooFew) => prop_assert!(!known && own.is_none() && fallback.is_none()),
            Err(_) => prop_assert!(left.is_some()),
        }
    }
}
