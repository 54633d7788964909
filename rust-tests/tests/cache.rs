//! How long answers are good for what: the ends of each span, odd times, and a model in plain
//! numbers.

use std::time::Duration;

use proptest::prelude::*;
use seawall::cache::{CacheOptions, Freshness, Lifetimes, LifetimesConfig, TTL};
use seawall::options::Rule;
use seawall::{Instant, Rng};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn lifetimes(swr: u64, sie: u64) -> Lifetimes {
    Lifetimes::new(LifetimesConfig {
        stale_while_revalidate: MS(swr),
        stale_if_error: MS(sie),
        ..LifetimesConfig::new(MS(100))
    })
    .unwrap()
}

fn at(lifetimes: &Lifetimes, age: Duration, ttl: u64) -> Freshness {
    let stored = Instant::from_nanos(5_000_000_000);
    lifetimes.judge(stored, stored.after(age), MS(ttl))
}

#[test]
fn each_span_ends_where_it_says() {
    let rule = lifetimes(50, 200);
    let nano = Duration::from_nanos(1);
    assert_eq!(at(&rule, Duration::ZERO, 100), Freshness::Fresh);
    assert_eq!(at(&rule, MS(100) - nano, 100), Freshness::Fresh);
    assert_eq!(at(&rule, MS(100), 100), Freshness::Stale);
    assert_eq!(at(&rule, MS(150) - nano, 100), Freshness::Stale);
    assert_eq!(at(&rule, MS(150), 100), Freshness::OnError);
    assert_eq!(at(&rule, MS(300) - nano, 100), Freshness::OnError);
    assert_eq!(at(&rule, MS(300), 100), Freshness::Expired);
}

#[test]
fn a_shorter_span_for_errors_ends_with_the_longer_one() {
    let rule = lifetimes(200, 50);
    assert_eq!(at(&rule, MS(299), 100), Freshness::Stale);
    assert_eq!(at(&rule, MS(300), 100), Freshness::Expired);
    assert_eq!(rule.kept(MS(100)), MS(300));
}

#[test]
fn no_time_to_live_is_not_kept() {
    let rule = lifetimes(50, 200);
    assert_eq!(at(&rule, Duration::ZERO, 0), Freshness::Expired);
    assert_eq!(rule.kept(Duration::ZERO), Duration::ZERO);
}

#[test]
fn one_from_the_future_is_as_old_as_it_is_early() {
    let rule = lifetimes(50, 0);
    let now = Instant::from_nanos(10_000_000_000);
    assert_eq!(rule.judge(now.after(MS(99)), now, MS(100)), Freshness::Fresh);
    assert_eq!(rule.judge(now.after(MS(100)), now, MS(100)), Freshness::Stale);
    assert_eq!(rule.judge(now.after(MS(3_600_000)), now, MS(100)), Freshness::Expired);
}

#[test]
fn an_age_that_is_no_number_is_good_for_nothing() {
    assert_eq!(lifetimes(50, 50).judge_age(f64::NAN, MS(100)), Freshness::Expired);
    assert_eq!(lifetimes(50, 50).judge_age(f64::NEG_INFINITY, MS(100)), Freshness::Expired);
}

#[test]
fn the_ends_of_the_range_do_not_overflow() {
    let config = LifetimesConfig {
        stale_while_revalidate: Duration::MAX,
        stale_if_error: Duration::MAX,
        jitter: 1.0,
        ..LifetimesConfig::new(Duration::MAX)
    };
    let rule = Lifetimes::new(config).unwrap();
    assert_eq!(rule.kept(Duration::MAX), Duration::MAX);
    let end = Instant::from_nanos(u64::MAX);
    assert_eq!(rule.judge(Instant::ZERO, end, Duration::MAX), Freshness::Fresh);
    assert_eq!(rule.judge(end, Instant::ZERO, MS(1)), Freshness::Stale);
    assert!(rule.lifespan(None, &mut Rng::new(1)) < Duration::MAX);
}

#[test]
fn options_have_defaults_and_limits() {
    let plain = CacheOptions::default().build().unwrap();
    assert_eq!(plain, Lifetimes::new(LifetimesConfig::default()).unwrap());
    assert_eq!(plain.lifespan(None, &mut Rng::new(1)), TTL);
    let refused = |options: CacheOptions| {
        let problem = options.build().unwrap_err();
        (problem.field, problem.rule)
    };
    let none = CacheOptions::default;
    let below = |field| (field, Rule::AtLeast);
    assert_eq!(refused(CacheOptions { ttl_ms: Some(-1.0), ..none() }), below("ttlMs"));
    assert_eq!(
        refused(CacheOptions { stale_while_revalidate_ms: Some(-0.1), ..none() }),
        below("staleWhileRevalidateMs")
    );
    assert_eq!(
        refused(CacheOptions { stale_if_error_ms: Some(f64::NEG_INFINITY), ..none() }),
        below("staleIfErrorMs")
    );
    for jitter in [-0.1, 1.1, f64::NAN] {
        let problem = refused(CacheOptions { jitter: Some(jitter), ..none() });
        assert_eq!(problem, ("jitter", Rule::Share));
    }
}

proptest! {
    #[test]
    fn judged_as_by_a_naive_model(
        stored in 0u64..1_000_000, now in 0u64..1_000_000,
        ttl in 0u64..500_000, swr in 0u64..500_000, sie in 0u64..500_000,
    ) {
        let age = stored.abs_diff(now);
        let want = if age < ttl {
            Freshness::Fresh
        } else if ttl > 0 && age < ttl + swr {
            Freshness::Stale
        } else if ttl > 0 && age < ttl + sie {
            Freshness::OnError
        } else {
            Freshness::Expired
        };
        let (stored, now) = (Instant::from(MS(stored)), Instant::from(MS(now)));
        let rule = lifetimes(swr, sie);
        prop_assert_eq!(rule.judge(stored, now, MS(ttl)), want);
        let signed = now.as_millis() - stored.as_millis();
        prop_assert_eq!(rule.judge_age(signed, MS(ttl)), want);
        let gone = now.since(stored).max(stored.since(now)) >= rule.kept(MS(ttl));
        prop_assert_eq!(gone, want == Freshness::Expired, "what is kept is good for something");
    }

    #[test]
    fn an_answer_only_gets_worse(ages in prop::collection::vec(0u64..2_000, 2..20)) {
        let mut ages = ages;
        ages.sort_unstable();
        let rule = lifetimes(300, 700);
        let judged: Vec<_> = ages.iter().map(|age| at(&rule, MS(*age), 500)).collect();
        prop_assert!(judged.is_sorted());
    }

    #[test]
    fn jitter_shortens_by_its_share_at_most(
        jitter in 0.0..=1.0f64, ms in 0u64..10_000_000, seed in any::<u64>(),
    ) {
        let rule = Lifetimes::new(LifetimesConfig { jitter, ..LifetimesConfig::default() }).unwrap();
        let mut rng = Rng::new(seed);
        for _ in 0..20 {
            let lifespan = rule.lifespan(Some(MS(ms)), &mut rng);
            prop_assert!(lifespan <= MS(ms));
            prop_assert!(lifespan.as_secs_f64() >= MS(ms).as_secs_f64() * (1.0 - jitter) - 1e-6);
        }
    }
}
