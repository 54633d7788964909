//! Time-outs: each limit, who comes first, and a model of all of them.

use std::time::Duration;

use proptest::prelude::*;
use seawall::Instant;
use seawall::timeout::{Late, Reason, Timeout, TimeoutConfig, TimeoutOptions, remaining};

const NOW: Instant = Instant::ZERO;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn with(options: TimeoutOptions) -> Timeout {
    options.build().unwrap()
}

fn near(a: Duration, b: Duration) -> bool {
    a.abs_diff(b) <= b / 16
}

#[test]
fn the_smaller_of_the_own_time_and_what_the_deadline_leaves() {
    let mut timeout = with(TimeoutOptions { timeout_ms: Some(100.0), ..Default::default() });
    assert_eq!(timeout.limit(None, None, NOW), Ok(ms(100)));
    assert_eq!(timeout.limit(None, Some(ms(99)), NOW), Ok(ms(99)));
    assert_eq!(timeout.limit(None, Some(ms(101)), NOW), Ok(ms(100)));
    assert_eq!(timeout.limit(Some(ms(7)), Some(ms(9)), NOW), Ok(ms(7)), "the caller's word");
    assert_eq!(timeout.limit(None, Some(Duration::ZERO), NOW), Err(Reason::Passed));
    let unlimited = TimeoutOptions { timeout_ms: Some(f64::INFINITY), ..Default::default() };
    assert_eq!(with(unlimited).limit(None, None, NOW), Ok(Duration::MAX));
}

#[test]
fn a_try_that_cannot_finish_is_not_begun() {
    let mut timeout = Timeout::new(TimeoutConfig::fixed(ms(1000))).unwrap();
    assert_eq!(timeout.limit(None, Some(ms(1)), NOW), Ok(ms(1)), "nobody knows the median yet");
    for _ in 0..20 {
        timeout.record(ms(200), NOW);
    }
    assert_eq!(timeout.limit(None, Some(ms(180)), NOW), Err(Reason::TooShort));
    assert_eq!(timeout.limit(None, Some(ms(220)), NOW), Ok(ms(220)));
    let later = NOW.after(ms(60_000));
    assert_eq!(timeout.limit(None, Some(ms(10)), later), Ok(ms(10)), "it cannot refuse for ever");
    let options =
        TimeoutOptions { timeout_ms: Some(1000.0), least_ms: Some(50.0), ..Default::default() };
    assert_eq!(with(options.clone()).limit(None, Some(ms(49)), NOW), Err(Reason::TooShort));
    assert_eq!(with(options).limit(None, Some(ms(50)), NOW), Ok(ms(50)));
}

#[test]
fn follows_the_quantile_within_its_bounds() {
    let options = TimeoutOptions {
        quantile: Some(0.9),
        factor: Some(3.0),
        min_ms: Some(50.0),
        max_ms: Some(500.0),
        min_samples: Some(5.0),
        ..Default::default()
    };
    let mut timeout = with(options);
    assert_eq!(timeout.limit(None, None, NOW), Ok(ms(500)), "the longest until there are enough");
    assert_eq!(timeout.limits(NOW).ask_after, 5);
    for n in 1..=5 {
        assert_eq!(timeout.limits(NOW).own, ms(500), "{n}");
        timeout.record(ms(1), NOW);
    }
    assert_eq!(timeout.limits(NOW).own, ms(50), "not below the least");
    assert_eq!(timeout.limits(NOW).ask_after, 16);
    for _ in 0..100 {
        timeout.record(ms(100), NOW);
    }
    assert!(near(timeout.limits(NOW).own, ms(300)));
    for _ in 0..1000 {
        timeout.record(ms(900), NOW);
    }
    assert_eq!(timeout.limits(NOW).own, ms(500), "not above the longest");
}

#[test]
fn times_that_are_up_push_the_limit_up() {
    let mut timeout = Timeout::new(TimeoutConfig::following(0.9, 2.0)).unwrap();
    for _ in 0..100 {
        timeout.record(ms(20), NOW);
    }
    let before = timeout.limits(NOW).own;
    for _ in 0..60 {
        let given = timeout.limits(NOW).own;
        timeout.record(given, NOW);
    }
    assert!(timeout.limits(NOW).own > before * 2);
}

#[test]
fn lateness_in_three_steps() {
    let timeout = Timeout::new(TimeoutConfig::fixed(ms(100))).unwrap();
    assert_eq!(timeout.late(ms(5)), Late::No);
    assert_eq!(timeout.late(ms(6)), Late::ATurn);
    assert_eq!(timeout.late(ms(50)), Late::ATurn);
    assert_eq!(timeout.late(ms(51)), Late::Blocked);
}

#[test]
fn options_out_of_range_are_named() {
    let refused = |options: TimeoutOptions| options.build().unwrap_err().field;
    let base = TimeoutOptions::default;
    assert_eq!(refused(TimeoutOptions { timeout_ms: Some(0.0), ..base() }), "timeoutMs");
    assert_eq!(refused(TimeoutOptions { timeout_ms: Some(-1.0), ..base() }), "timeoutMs");
    let both = TimeoutOptions { timeout_ms: Some(1.0), quantile: Some(0.5), ..base() };
    assert_eq!(refused(both), "timeoutMs");
    assert_eq!(refused(TimeoutOptions { factor: Some(2.0), ..base() }), "timeoutMs.factor");
    let follows = || TimeoutOptions { quantile: Some(0.5), ..base() };
    assert_eq!(refused(TimeoutOptions { quantile: Some(1.1), ..base() }), "timeoutMs.quantile");
    assert_eq!(refused(TimeoutOptions { quantile: Some(0.0), ..base() }), "timeoutMs.quantile");
    assert_eq!(refused(TimeoutOptions { factor: Some(0.0), ..follows() }), "timeoutMs.factor");
    let crossed = TimeoutOptions { min_ms: Some(9.0), max_ms: Some(8.0), ..follows() };
    assert_eq!(refused(crossed), "timeoutMs.maxMs");
    assert_eq!(refused(TimeoutOptions { min_samples: Some(0.0), ..base() }), "minSamples");
    assert_eq!(refused(TimeoutOptions { window_ms: Some(0.0), ..base() }), "windowMs");
    assert_eq!(refused(TimeoutOptions { fallback_ms: Some(0.0), ..base() }), "fallbackMs");
    assert_eq!(refused(TimeoutOptions { least_ms: Some(-1.0), ..base() }), "leastMs");
    assert_eq!(refused(TimeoutOptions { late_ms: Some(-1.0), ..base() }), "lateMs");
    assert!(TimeoutOptions { max_ms: Some(5.0), ..follows() }.build().is_ok());
}

#[test]
fn options_change_and_latencies_stay() {
    let mut timeout = Timeout::new(TimeoutConfig::fixed(ms(1000))).unwrap();
    for _ in 0..100 {
        timeout.record(ms(40), NOW);
    }
    timeout.become_like(Timeout::new(TimeoutConfig::following(0.9, 1.5)).unwrap());
    assert!(near(timeout.limits(NOW).own, ms(60)));
}

#[test]
fn headers() {
    for (text, want) in [
        ("100m", Some(ms(100))),
        (" 3S ", Some(ms(3000))),
        ("2M", Some(ms(120_000))),
        ("1H", Some(ms(3_600_000))),
        ("5000u", Some(ms(5))),
        ("7000000n", Some(ms(7))),
        ("0", Some(ms(0))),
        ("999999999999H", Some(Duration::from_nanos(u64::MAX))),
        ("1000000000000", None),
        ("", None),
        ("m", None),
        ("1.5", None),
        ("-1", None),
        ("1e3", None),
        ("٣m", None),
    ] {
        assert_eq!(remaining(text), want, "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_limit_is_beyond_its_bounds(
        latencies in prop::collection::vec((1u64..5_000, 0u64..3_000), 0..120),
        quantile in 0.01..=1.0f64,
        factor in 0.1..10.0f64,
        least in 1u64..500,
        room in 0u64..5_000,
        minimum in 1u32..50,
        own in prop::option::of(1u64..1_000),
        left in prop::option::of(0u64..5_000),
    ) {
        let options = TimeoutOptions {
            quantile: Some(quantile),
            factor: Some(factor),
            min_ms: Some(least as f64),
            max_ms: Some((least + room) as f64),
            min_samples: Some(f64::from(minimum)),
            window_ms: Some(10_000.0),
            ..Default::default()
        };
        let mut timeout = with(options);
        let mut now = NOW;
        for (latency, wait) in latencies {
            now = now.after(ms(wait));
            timeout.record(ms(latency), now);
            let limits = timeout.limits(now);
            prop_assert!(limits.own >= ms(least) && limits.own <= ms(least + room));
            prop_assert!(limits.ask_after >= 1 && limits.ask_after <= 16);
            if timeout.count(now) < minimum {
                prop_assert_eq!(limits.own, ms(least + room));
                prop_assert_eq!(limits.least, Duration::ZERO);
                prop_assert!(limits.ask_after <= minimum - timeout.count(now));
            }
            // What JavaScript does on its own with the limits is what the core does.
            let (own, left) = (own.map(ms), left.map(ms));
            let time = own.unwrap_or(limits.own);
            let by_limits = match left {
                None => Ok(time),
                Some(left) if left > Duration::ZERO && left >= limits.least => Ok(time.min(left)),
                Some(left) if left.is_zero() => Err(Reason::Passed),
                Some(_) => Err(Reason::TooShort),
            };
            prop_assert_eq!(timeout.limit(own, left, now), by_limits);
        }
    }
}
