//! Random options: small numbers, so that every boundary is met, and durations of few values, so
//! that they coincide.

use std::time::Duration;

use proptest::prelude::*;
use seawall::backoff::{Backoff, BackoffConfig, Jitter};
use seawall::breaker::{
    BreakerConfig, HalfOpen, Mode, OpenFor, RateRule, Reclose, SlowRule, TripRule, Window,
};

fn share() -> BoxedStrategy<f64> {
    prop_oneof![
        Just(1.0),
        Just(0.5),
        Just(0.07),
        Just(0.0001),
        (1u32..=100).prop_map(|percent| f64::from(percent) / 100.0),
    ]
    .boxed()
}

fn millis(choices: &'static [u64]) -> BoxedStrategy<Duration> {
    prop::sample::select(choices).prop_map(Duration::from_millis).boxed()
}

fn rate(window: impl Strategy<Value = Window> + 'static) -> BoxedStrategy<TripRule> {
    let rates = prop_oneof![
        share().prop_map(|rate| (Some(rate), None)),
        share().prop_map(|rate| (None, Some(rate))),
        (share(), share()).prop_map(|(rate, slow)| (Some(rate), Some(slow))),
    ];
    let minimum = prop_oneof![3 => 1u32..12, 1 => 90u32..110];
    (window, minimum, rates, millis(&[0, 5, 20]))
        .prop_map(|(window, minimum, (failure_rate, slow), longer_than)| {
            let most = if let Window::Calls(calls) = window { calls } else { u32::MAX };
            TripRule::Rate(RateRule {
                window,
                minimum_calls: minimum.min(most),
                failure_rate,
                slow: slow.map(|rate| SlowRule { rate, longer_than }),
            })
        })
        .boxed()
}

/// Any rule.
pub fn any_trip() -> BoxedStrategy<TripRule> {
    let times = (millis(&[10, 20, 50, 100, 1000]), 1u32..8)
        .prop_map(|(span, slices)| Window::Time { span, slices });
    let odd_times = (1u64..50, 1u32..8)
        .prop_map(|(ns, slices)| Window::Time { span: Duration::from_nanos(ns), slices });
    prop_oneof![
        2 => (1u32..6).prop_map(TripRule::Consecutive),
        2 => (1u32..6, millis(&[10, 20, 50, 1000]))
            .prop_map(|(failures, within)| TripRule::Failures { failures, within }),
        3 => rate((1u32..20).prop_map(Window::Calls)),
        1 => rate((60u32..70).prop_map(Window::Calls)),
        1 => rate(Just(Window::Calls(100))),
        3 => rate(times),
        1 => rate(odd_times),
    ]
    .boxed()
}

/// A rule over a window so large that no call ever leaves it.
pub fn window_that_never_slides() -> BoxedStrategy<TripRule> {
    let years = Duration::from_secs(500 * 365 * 86_400);
    rate(prop_oneof![Just(Window::Calls(100_000)), Just(Window::Time { span: years, slices: 1 })])
        .boxed()
}

fn open_for() -> BoxedStrategy<OpenFor> {
    let backoff = prop_oneof![
        Just(BackoffConfig::exponential(Duration::from_millis(20))),
        Just(BackoffConfig {
            jitter: Jitter::None,
            max_attempts: Some(3),
            ..BackoffConfig::linear(Duration::from_millis(10))
        }),
        Just(BackoffConfig::decorrelated(Duration::from_millis(10))),
        Just(BackoffConfig::list([10, 50, 20].map(Duration::from_millis).into(), false)),
    ];
    prop_oneof![
        3 => millis(&[0, 10, 20, 50, 1000]).prop_map(OpenFor::Fixed),
        1 => backoff.prop_map(|b| OpenFor::Backoff(Box::new(Backoff::new(b).expect("valid")))),
    ]
    .boxed()
}

fn half_open() -> BoxedStrategy<HalfOpen> {
    let lease = prop::option::of(prop_oneof![
        millis(&[1, 10, 20, 1000]),
        (1u64..3_000_000).prop_map(Duration::from_nanos)
    ]);
    let permits = prop_oneof![2 => Just(1u32), 3 => 1u32..8, 1 => Just(100u32)];
    (permits, share(), lease)
        .prop_map(|(permits, success_rate, lease)| HalfOpen { permits, success_rate, lease })
        .boxed()
}

fn reclose() -> BoxedStrategy<Reclose> {
    let shares = prop::collection::btree_set(1u32..100, 1..4);
    (shares, 1u32..6, millis(&[1, 10, 50]))
        .prop_map(|(shares, calls, step)| Reclose {
            shares: shares.into_iter().map(|percent| f64::from(percent) / 100.0).collect(),
            calls,
            step,
        })
        .boxed()
}

/// Any options with a rule of `trip`.
pub fn any_config(trip: BoxedStrategy<TripRule>) -> BoxedStrategy<BreakerConfig> {
    let mode =
        prop_oneof![8 => Just(Mode::Enforce), 1 => Just(Mode::DryRun), 1 => Just(Mode::Disabled)];
    (trip, open_for(), half_open(), prop::option::of(reclose()), mode)
        .prop_map(|(trip, open_for, half_open, reclose, mode)| BreakerConfig {
            trip,
            open_for,
            half_open,
            reclose,
            mode,
        })
        .boxed()
}
