//! Grades and summaries against naive ones.

use std::time::Duration;

use proptest::prelude::*;
use seawall::health::{CheckConfig, CheckOptions, Grade, Summary, is_busy, nearest_rank};
use seawall::options::Rule;

#[test]
fn defaults_are_five_seconds_and_100_and_500_ms() {
    let config = CheckOptions::default().into_config().unwrap();
    assert_eq!(config, CheckConfig::default());
    assert_eq!(config.timeout, Duration::from_secs(5));
    assert_eq!(config.interval, Duration::from_secs(30));
    for (ms, grade) in [
        (0, Grade::Healthy),
        (99, Grade::Healthy),
        (100, Grade::Degraded),
        (499, Grade::Degraded),
        (500, Grade::Unhealthy),
    ] {
        assert_eq!(config.grade(Duration::from_millis(ms)), grade, "{ms} ms");
    }
}

#[test]
fn limits_out_of_order_and_times_below_zero_are_refused() {
    let refused = |options: CheckOptions| {
        let problem = options.into_config().unwrap_err();
        (problem.field, problem.rule)
    };
    let none = CheckOptions::default();
    assert_eq!(
        refused(CheckOptions { unhealthy_ms: Some(99.0), ..none }),
        ("unhealthyMs", Rule::NotBelow)
    );
    assert_eq!(
        refused(CheckOptions { degraded_ms: Some(-1.0), ..none }),
        ("degradedMs", Rule::AtLeast)
    );
    assert_eq!(refused(CheckOptions { timeout_ms: Some(0.0), ..none }), ("timeoutMs", Rule::Above));
    assert_eq!(
        refused(CheckOptions { timeout_ms: Some(f64::NAN), ..none }),
        ("timeoutMs", Rule::Above)
    );
    for bad in [0.0, -1.0, f64::NAN] {
        assert_eq!(
            refused(CheckOptions { interval_ms: Some(bad), ..none }),
            ("intervalMs", Rule::Above)
        );
    }
}

#[test]
fn infinity_switches_a_limit_off() {
    let off = Some(f64::INFINITY);
    let config =
        CheckOptions { timeout_ms: off, degraded_ms: off, unhealthy_ms: off, interval_ms: off };
    let config = config.into_config().unwrap();
    assert_eq!(config.grade(Duration::from_secs(3_600)), Grade::Healthy);
}

#[test]
fn the_worst_grade_is_the_maximum() {
    assert_eq!(Grade::Healthy.max(Grade::Unhealthy).max(Grade::Degraded), Grade::Unhealthy);
}

#[test]
fn no_durations_have_no_summary() {
    assert_eq!(Summary::of(&[], 100.0), None);
}

#[test]
fn a_duration_on_the_limit_is_not_slow_and_a_tenth_is_not_many() {
    let mut durations = [1.0; 10];
    durations[0] = 101.0;
    durations[1] = 100.0;
    let summary = Summary::of(&durations, 100.0).unwrap();
    assert_eq!(summary.slow, 1);
    assert!(!summary.advice(100.0).many_slow);
    assert!(Summary::of(&durations[..9], 100.0).unwrap().advice(100.0).many_slow);
}

#[test]
fn a_mean_of_half_the_limit_is_not_near_it() {
    assert!(!Summary::of(&[50.0], 100.0).unwrap().advice(100.0).near_limit);
    assert!(Summary::of(&[50.001], 100.0).unwrap().advice(100.0).near_limit);
}

#[test]
fn a_pool_is_busy_above_four_fifths_and_never_when_empty() {
    assert!(!is_busy(8.0, 10.0));
    assert!(is_busy(9.0, 10.0));
    assert!(!is_busy(3.0, 0.0), "no connections, although some are said to be in use");
}

proptest! {
    #[test]
    fn a_percentile_is_the_first_value_enough_others_do_not_exceed(
        mut values in prop::collection::vec(0.0..1e6_f64, 1..300),
        percent in 1..=100_u8,
    ) {
        values.sort_by(f64::total_cmp);
        let rank = nearest_rank(&values, percent).unwrap();
        let enough = |limit: f64| {
            let within = values.iter().filter(|value| **value <= limit).count();
            within * 100 >= usize::from(percent) * values.len()
        };
        let naive = values.iter().copied().find(|value| enough(*value)).unwrap();
        prop_assert_eq!(rank, naive);
    }

    #[test]
    fn a_summary_keeps_its_order(values in prop::collection::vec(0.0..1e6_f64, 1..300)) {
        let summary = Summary::of(&values, 500.0).unwrap();
        prop_assert!(summary.min <= summary.p95 && summary.p95 <= summary.p99);
        prop_assert!(summary.p99 <= summary.max);
        prop_assert!(summary.mean >= summary.min - 1e-6 && summary.mean <= summary.max + 1e-6);
        prop_assert_eq!(summary.count, values.len());
    }
}
