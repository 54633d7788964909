//! Rate limiters against naive models: a token simulation, an exact log, a line of those who wait.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use seawall::Instant;
use seawall::limit::rate::{
    Decision, KeyedRateLimiter, Kind, RateConfig, RateLimiter, RateOptions, Refusal,
};
use seawall::options::Rule;
use seawall_tests::cases;

const SECOND: Duration = Duration::from_secs(1);
const PATIENT: Duration = Duration::MAX;

fn ns(ns: u64) -> Instant {
    Instant::from_nanos(ns)
}

fn ms(ms: u64) -> Instant {
    ns(ms * 1_000_000)
}

fn gcra(limit: u32, per: Duration, burst: u32) -> RateLimiter {
    RateLimiter::new(RateConfig { burst, ..RateConfig::new(limit, per) }).unwrap()
}

fn sliding(limit: u32, per: Duration) -> RateLimiter {
    RateLimiter::new(RateConfig::sliding_window(limit, per)).unwrap()
}

/// Tokens in parts of a permit, filled by the nanosecond, without any reduction.
struct Tokens {
    limit: u128,
    per: u128,
    most: u128,
    tokens: u128,
    at: u64,
}

impl Tokens {
    fn new(limit: u32, per: Duration, burst: u32) -> Self {
        let (limit, per) = (u128::from(limit), per.as_nanos());
        let most = u128::from(burst) * per;
        Self { limit, per, most, tokens: most, at: 0 }
    }
    fn try_take(&mut self, permits: u32, now: u64) -> bool {
        self.tokens = self.most.min(self.tokens + u128::from(now - self.at) * self.limit);
        self.at = now;
        let price = u128::from(permits) * self.per;
        let enough = self.tokens >= price;
        if enough {
            self.tokens -= price;
        }
        enough
    }
}

/// `retry_after` is the first nanosecond at which the call would go.
fn check_retry_after(limiter: &RateLimiter, permits: u32, now: u64) {
    let wait = limiter.clone().retry_after(permits, ns(now)).unwrap().as_nanos() as u64;
    let at = |time| limiter.clone().try_acquire(permits, ns(time));
    assert!(at(now + wait).is_granted(), "after {wait}");
    assert!(wait == 0 || !at(now + wait - 1).is_granted(), "before {wait}");
}

fn gaps() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => Just(0u64),
        5 => 0u64..50_000_000,
        2 => 0u64..2_000_000_000,
        1 => Just(3_600_000_000_000u64),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(200)))]

    #[test]
    fn gcra_is_a_token_simulation(
        limit in 1u32..1000,
        per in prop_oneof![Just(1_000_000_000u64), 1u64..10_000_000_000],
        burst in 1u32..50,
        calls in prop::collection::vec((gaps(), 1u32..6), 1..200),
    ) {
        let per = Duration::from_nanos(per);
        let (mut limiter, mut tokens) = (gcra(limit, per, burst), Tokens::new(limit, per, burst));
        let mut now = 0;
        for (gap, permits) in calls {
            now += gap;
            let permits = permits.min(burst);
            check_retry_after(&limiter, permits, now);
            let want = tokens.try_take(permits, now);
            prop_assert_eq!(limiter.try_acquire(permits, ns(now)).is_granted(), want, "{}", now);
        }
    }

    #[test]
    fn a_sliding_window_is_never_early_and_a_32nd_late_at_most(
        limit in prop_oneof![1u32..33, 33u32..500],
        calls in prop::collection::vec((gaps(), 1u32..6), 1..400),
    ) {
        let per = 1_000_000_000u64;
        let mut limiter = sliding(limit, SECOND);
        let mut log: VecDeque<(u64, u32)> = VecDeque::new();
        let used = |log: &VecDeque<(u64, u32)>, now: u64, span: u64| -> u32 {
            log.iter().filter(|(at, _)| at + span > now).map(|(_, permits)| permits).sum()
        };
        let mut now = 0;
        for (gap, permits) in calls {
            now += gap;
            let permits = permits.min(limit);
            check_retry_after(&limiter, permits, now);
            if limiter.try_acquire(permits, ns(now)).is_granted() {
                prop_assert!(used(&log, now, per) + permits <= limit, "early at {}", now);
                log.push_back((now, permits));
            } else {
                let late = if limit <= 32 { 0 } else { per / 32 };
                prop_assert!(used(&log, now, per + late) + permits > limit, "late at {}", now);
            }
        }
    }

    /// Whatever joins, leaves and asks in between: those in line go in their order, nobody
    /// overtakes them, and the permits are those of the token simulation.
    #[test]
    fn a_line_is_served_in_order(
        window in any::<bool>(),
        ops in prop::collection::vec((0u8..6, gaps(), 1u32..4, any::<prop::sample::Index>()), 1..200),
    ) {
        let mut limiter = if window { sliding(20, SECOND) } else { gcra(20, SECOND, 5) };
        let mut line: VecDeque<u32> = VecDeque::new();
        let mut granted: Vec<(u64, u32)> = Vec::new();
        let mut now = 0;
        for (op, gap, permits, index) in ops {
            now += gap;
            match op {
                0 | 1 => match limiter.acquire(permits, PATIENT, ns(now)) {
                    Decision::Granted => {
                        prop_assert!(line.is_empty());
                        granted.push((now, permits));
                    }
                    Decision::Wait(_) => line.push_back(permits),
                    Decision::Refused(refusal) => prop_assert!(false, "{refusal:?}"),
                },
                2 => if limiter.try_acquire(permits, ns(now)).is_granted() {
                    prop_assert!(line.is_empty(), "overtaken");
                    granted.push((now, permits));
                },
                3 if !line.is_empty() => {
                    let gone = line.remove(index.index(line.len())).unwrap();
                    limiter.leave(gone);
                }
                _ => while let Some(first) = line.front().copied() {
                    match limiter.advance(first, ns(now)) {
                        Decision::Granted => granted.push((now, first)),
                        Decision::Wait(wait) => {
                            prop_assert!(!wait.is_zero());
                            break;
                        }
                        Decision::Refused(refusal) => prop_assert!(false, "{refusal:?}"),
                    }
                    line.pop_front();
                },
            }
            let state = limiter.explain(ns(now));
            prop_assert_eq!(state.queued as usize, line.len());
            prop_assert_eq!(state.waiting, line.iter().map(|permits| u64::from(*permits)).sum::<u64>());
        }
        // Those in line may be late by 16 ms: a third of a permit.
        let mut tokens = Tokens::new(20, SECOND, 6);
        for (i, (at, permits)) in granted.iter().enumerate() {
            if window {
                let since = granted[..=i].iter().filter(|(then, _)| then + 1_000_000_000 > *at);
                prop_assert!(since.map(|(_, permits)| permits).sum::<u32>() <= 20);
            } else {
                prop_assert!(tokens.try_take(*permits, *at));
            }
        }
    }

    /// Each is told when its turn will be, and that is exactly when it is.
    #[test]
    fn the_wait_of_a_line_is_foretold(
        window in any::<bool>(),
        hold in prop_oneof![Just(0u64), 1u64..3_000_000_000],
        weights in prop::collection::vec(1u32..2, 1..60),
    ) {
        let mut limiter = if window { sliding(7, SECOND) } else { gcra(7, SECOND, 3) };
        limiter.hold(ns(hold));
        let told: Vec<_> = weights
            .iter()
            .map(|permits| match limiter.acquire(*permits, PATIENT, ns(0)) {
                Decision::Granted => 0,
                Decision::Wait(wait) => wait.as_nanos() as u64,
                Decision::Refused(refusal) => panic!("{refusal:?}"),
            })
            .collect();
        let mut now = 0;
        for (permits, due) in weights.iter().zip(&told).filter(|(_, due)| **due > 0) {
            if *due > now {
                prop_assert!(!limiter.advance(*permits, ns(due - 1)).is_granted());
            }
            now = *due;
            prop_assert!(limiter.advance(*permits, ns(*due)).is_granted());
        }
        prop_assert!(told.is_sorted());
    }
}

#[test]
fn cost_and_memory_do_not_grow_with_the_window() {
    // A million permits in a day, all in use.
    let mut limiter = sliding(1_000_000, Duration::from_secs(86_400));
    for i in 0..1_000_000u64 {
        assert!(limiter.try_acquire(1, ns(i * 1000)).is_granted());
    }
    assert_eq!(limiter.explain(ns(1_000_000_000)).used, 1_000_000.0);
    assert!(!limiter.try_acquire(1, ns(1_000_000_000)).is_granted());
    assert!(limiter.try_acquire(1_000_000, ms(86_401_000)).is_granted());
}

#[test]
fn after_idle_nothing_of_before_counts() {
    for mut limiter in [gcra(5, SECOND, 5), sliding(5, SECOND)] {
        assert!(limiter.try_acquire(5, ms(0)).is_granted());
        assert_eq!(limiter.try_acquire(1, ms(10)), Decision::Refused(Refusal::Rate));
        assert!(limiter.try_acquire(5, ms(3_600_000)).is_granted());
    }
}

#[test]
fn a_clock_that_goes_back_neither_blocks_nor_gives_more() {
    for mut limiter in [gcra(10, SECOND, 10), sliding(10, SECOND)] {
        let hour = 3_600_000;
        assert!(limiter.try_acquire(10, ms(hour)).is_granted());
        // By an hour: as if it were now, not an hour of refusals.
        assert_eq!(limiter.try_acquire(1, ms(0)), Decision::Refused(Refusal::Rate));
        assert!(limiter.try_acquire(1, ms(1000)).is_granted(), "{limiter:?}");
    }
    for mut limiter in [gcra(10, SECOND, 10), sliding(10, SECOND)] {
        // To and fro by a few milliseconds, for a second: a second's worth, and no more.
        let mut passed = 0;
        for i in 0..1000u64 {
            for at in [ms(1000 + i), ms(1000 + i - 20)] {
                passed += u32::from(limiter.try_acquire(1, at).is_granted());
            }
        }
        assert!((10..=20).contains(&passed), "{passed}");
    }
}

/// A timer a millisecond late each time, and a rate of ten in that time.
#[test]
fn a_line_moves_at_the_full_rate_though_timers_are_late() {
    let mut limiter = gcra(10_000, SECOND, 1);
    let config = RateConfig { burst: 1, max_queue: 20_000, ..RateConfig::new(10_000, SECOND) };
    limiter.update(config, ms(0)).unwrap();
    for _ in 0..10_001 {
        assert!(!matches!(limiter.acquire(1, PATIENT, ms(0)), Decision::Refused(_)));
    }
    for time in 1..=1000 {
        let went = (0..).find(|_| !limiter.advance(1, ms(time)).is_granted());
        assert_eq!(went, Some(10));
    }
    assert_eq!(limiter.explain(ms(1000)).queued, 0);
    // What is later than that is lost.
    for _ in 0..3_000 {
        let _ = limiter.acquire(1, PATIENT, ms(1000));
    }
    let went = (0..).find(|_| !limiter.advance(1, ms(1100)).is_granted()).unwrap();
    assert!((160..=162).contains(&went), "{went}");
}

#[test]
fn options_change_and_the_state_stays() {
    let mut limiter = gcra(10, SECOND, 10);
    assert!(limiter.try_acquire(8, ms(0)).is_granted());
    assert!(limiter.acquire(5, PATIENT, ms(0)) != Decision::Granted);
    let larger = RateConfig { burst: 20, ..RateConfig::new(1000, SECOND) };
    limiter.update(larger, ms(0)).unwrap();
    let state = limiter.explain(ms(0));
    assert_eq!((state.used, state.available, state.queued), (8.0, 12, 1));
    assert!(limiter.advance(5, ms(0)).is_granted());

    // Less room than is in use, and than one in line asked for.
    assert!(limiter.acquire(15, PATIENT, ms(0)) != Decision::Granted);
    limiter.update(RateConfig { burst: 2, ..RateConfig::new(10, SECOND) }, ms(0)).unwrap();
    assert_eq!(limiter.advance(15, ms(0)), Decision::Refused(Refusal::Weight));
    assert_eq!(limiter.retry_after(1, ms(0)), Some(Duration::from_millis(1200)));

    let bad = RateConfig::new(0, SECOND);
    assert_eq!(limiter.update(bad, ms(0)).unwrap_err().field, "limit");
    assert_eq!(limiter.retry_after(1, ms(0)), Some(Duration::from_millis(1200)));

    let mut window = sliding(5, SECOND);
    assert!(window.try_acquire(5, ms(0)).is_granted());
    window.update(RateConfig::sliding_window(8, SECOND), ms(1)).unwrap();
    assert_eq!(window.explain(ms(1)).available, 3);
    window.update(RateConfig::sliding_window(3, SECOND), ms(1)).unwrap();
    assert_eq!(window.explain(ms(1)).available, 0);
    assert_eq!(window.retry_after(1, ms(1)), Some(Duration::from_millis(999)));
}

#[test]
fn a_hold_lets_nothing_pass_and_is_not_shortened() {
    let mut limiter = gcra(10, SECOND, 5);
    limiter.hold(ms(500));
    limiter.hold(ms(100));
    assert_eq!(limiter.try_acquire(1, ms(0)), Decision::Refused(Refusal::Held));
    assert_eq!(limiter.retry_after(1, ms(0)), Some(Duration::from_millis(500)));
    assert_eq!(limiter.acquire(1, PATIENT, ms(0)), Decision::Wait(Duration::from_millis(500)));
    assert!(limiter.advance(1, ms(500)).is_granted());
    limiter.hold(ms(10_000));
    limiter.release();
    assert!(limiter.try_acquire(1, ms(500)).is_granted());
}

#[test]
fn each_reason_for_a_refusal() {
    let config = RateConfig { burst: 2, max_queue: 1, ..RateConfig::new(10, SECOND) };
    let mut limiter = RateLimiter::new(config).unwrap();
    assert_eq!(limiter.try_acquire(3, ms(0)), Decision::Refused(Refusal::Weight));
    assert_eq!(limiter.retry_after(3, ms(0)), None);
    assert!(limiter.try_acquire(2, ms(0)).is_granted());
    assert_eq!(limiter.try_acquire(1, ms(0)), Decision::Refused(Refusal::Rate));
    let short = Duration::from_nanos(99_999_999);
    assert_eq!(limiter.acquire(1, short, ms(0)), Decision::Refused(Refusal::Wait));
    let enough = Duration::from_millis(100);
    assert_eq!(limiter.acquire(1, enough, ms(0)), Decision::Wait(enough));
    assert_eq!(limiter.acquire(1, PATIENT, ms(0)), Decision::Refused(Refusal::Queue));
    // A newcomer does not overtake, though there is a permit now.
    assert_eq!(limiter.try_acquire(1, ms(150)), Decision::Refused(Refusal::Rate));
    limiter.leave(1);
    assert!(limiter.try_acquire(1, ms(150)).is_granted());
}

#[test]
fn options_are_checked() {
    let options = RateOptions { limit: Some(5.0), ..RateOptions::default() };
    let config = options.build().unwrap();
    assert_eq!(config, RateConfig::new(5, SECOND));
    let refused = |change: fn(&mut RateOptions)| {
        let mut options = RateOptions { limit: Some(5.0), ..RateOptions::default() };
        change(&mut options);
        let problem = options.build().unwrap_err();
        (problem.field, problem.rule)
    };
    assert_eq!(refused(|o| o.limit = None), ("limit", Rule::IntegerAtLeast));
    assert_eq!(refused(|o| o.limit = Some(1.5)), ("limit", Rule::IntegerAtLeast));
    assert_eq!(refused(|o| o.per_ms = Some(0.0)), ("perMs", Rule::Above));
    assert_eq!(refused(|o| o.burst = Some(0.0)), ("burst", Rule::IntegerAtLeast));
    assert_eq!(refused(|o| o.max_queue = Some(-1.0)), ("maxQueue", Rule::IntegerAtLeast));
    assert_eq!(refused(|o| o.max_wait_ms = Some(-1.0)), ("maxWaitMs", Rule::AtLeast));
    let both = |o: &mut RateOptions| (o.kind, o.burst) = (Some(1.0), Some(2.0));
    assert_eq!(refused(both), ("burst", Rule::NotWith));
    let endless = RateConfig::new(3, Duration::from_secs(86_400 * 365 * 100));
    assert!(endless.validate().is_ok());
    let config = RateConfig { burst: 1_000_000, ..endless };
    assert_eq!(config.validate().unwrap_err().rule, Rule::AtMost);
}

#[test]
fn a_million_keys_stay_within_the_cap() {
    let config = RateConfig { kind: Kind::Gcra, ..RateConfig::new(1, SECOND) };
    let mut keys = KeyedRateLimiter::new(config, 1000, Duration::from_secs(600)).unwrap();
    assert!(keys.try_acquire("regular", 1, ms(0)).is_granted());
    for i in 0..1_000_000u64 {
        assert!(keys.try_acquire(&i.to_string(), 1, ms(i / 10_000)).is_granted());
        if i % 500 == 0 {
            // The one in use is not given new permits by a crowd of others.
            assert!(!keys.try_acquire("regular", 1, ms(i / 10_000)).is_granted(), "{i}");
        }
        assert!(keys.len() <= 1000);
    }
    assert!(KeyedRateLimiter::new(config, 0, SECOND).is_err());
}

#[test]
fn idle_keys_go_as_others_come_and_updates_reach_all() {
    let mut keys = KeyedRateLimiter::new(RateConfig::new(1, SECOND), 1000, SECOND * 60).unwrap();
    for i in 0..10 {
        assert!(keys.try_acquire(&format!("old {i}"), 1, ms(0)).is_granted());
    }
    keys.hold("old 1", ms(200_000), ms(0));
    for i in 0..10 {
        assert!(keys.try_acquire(&format!("new {i}"), 1, ms(100_000)).is_granted());
    }
    assert_eq!(keys.len(), 11, "the one on hold stays");
    assert_eq!(keys.retry_after("old 1", 1, ms(100_000)), Some(Duration::from_secs(100)));
    keys.update(RateConfig::new(5, SECOND), ms(100_000)).unwrap();
    assert!(keys.try_acquire("new 1", 4, ms(100_000)).is_granted());
    assert!(!keys.try_acquire("new 1", 1, ms(100_000)).is_granted());
    assert!(keys.update(RateConfig::new(0, SECOND), ms(100_000)).is_err());
}
