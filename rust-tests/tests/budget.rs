//! Retry budgets: failsafe-go's rule, exact fractions, and counts told of later.

use std::time::Duration;

use proptest::prelude::*;
use seawall::Instant;
use seawall::options::Rule;
use seawall::retry::{BudgetConfig, BudgetOptions, RetryBudget};
use seawall_tests::cases;

const START: Instant = Instant::ZERO;

fn tokens(ratio: f64, per_second: f64, max_tokens: f64) -> RetryBudget {
    RetryBudget::new(BudgetConfig::Tokens { ratio, per_second, max_tokens }).unwrap()
}

fn allowed(budget: &mut RetryBudget, now: Instant) -> u32 {
    (0..1_000_000).find(|_| !budget.allow(now)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(200)))]

    #[test]
    fn in_flight_is_its_rule(
        ratio in 0.01f64..=1.0,
        least in 0u32..5,
        ops in prop::collection::vec(0u8..5, 1..400),
    ) {
        let config = BudgetConfig::InFlight { ratio, min_concurrency: least };
        let mut budget = RetryBudget::new(config).unwrap();
        let mut told = budget.clone();
        let (mut calls, mut retries, mut fresh) = (0u32, 0u32, 0u32);
        for op in ops {
            match op {
                0 | 1 => {
                    budget.began();
                    calls += 1;
                    fresh += 1;
                }
                2 if calls > 0 => {
                    budget.ended();
                    calls -= 1;
                }
                3 if retries > 0 => {
                    budget.retry_ended();
                    retries -= 1;
                }
                _ => {
                    let want = retries < least
                        || calls > 0 && f64::from(retries) <= ratio * f64::from(calls)
                        || calls == 0 && retries == 0;
                    prop_assert_eq!(budget.allow(START), want);
                    told.tell(calls, retries, std::mem::take(&mut fresh));
                    prop_assert_eq!(told.allow(START), want);
                    retries += u32::from(want);
                }
            }
        }
    }

    /// Calls told of at the next repetition, as the package does it, bring what calls told of at
    /// once bring; and both are a sum in whole numbers.
    #[test]
    fn tokens_are_a_sum(
        hundredths in 1u64..=100,
        per_second in 0u64..5,
        most in 1u64..20,
        ops in prop::collection::vec((0u8..4, 0u64..900), 1..400),
    ) {
        let mut budget = tokens(hundredths as f64 / 100.0, per_second as f64, most as f64);
        let mut told = budget.clone();
        // In hundred-thousandths: a millisecond brings `per_second` times 100 of them.
        let (mut left, mut fresh, mut now) = (most * 100_000, 0, 0);
        for (op, gap) in ops {
            now += gap;
            let at = Instant::from_nanos(now * 1_000_000);
            left = (most * 100_000).min(left + gap * per_second * 100);
            if op > 0 {
                budget.began();
                budget.ended();
                fresh += 1;
                left = (most * 100_000).min(left + hundredths * 1000);
            } else {
                let want = left >= 100_000;
                left -= if want { 100_000 } else { 0 };
                prop_assert_eq!(budget.allow(at), want);
                told.tell(0, 0, std::mem::take(&mut fresh));
                prop_assert_eq!(told.allow(at), want);
            }
        }
    }
}

/// tower's `withdraw = (1 / ratio) as isize` makes 0.3 behave as 0.33 and 0.7 as 1.
#[test]
fn fractions_are_exact() {
    for (ratio, in_ten) in [(0.1, 1), (0.3, 3), (0.7, 7), (1.0, 10)] {
        let mut budget = tokens(ratio, 0.0, 1000.0);
        assert_eq!(allowed(&mut budget, START), 1000);
        for round in 0..10_000 {
            let mut passed = 0;
            for _ in 0..10 {
                budget.began();
                passed += u32::from(budget.allow(START));
            }
            assert_eq!(passed, in_ten, "{ratio} in round {round}");
        }
    }
}

#[test]
fn seconds_bring_a_reserve_up_to_the_most() {
    let mut budget = tokens(0.2, 10.0, 30.0);
    assert_eq!(allowed(&mut budget, START), 30);
    assert_eq!(allowed(&mut budget, START.after(Duration::from_millis(99))), 0);
    assert_eq!(allowed(&mut budget, START.after(Duration::from_millis(100))), 1);
    assert_eq!(allowed(&mut budget, START.after(Duration::from_secs(3600))), 30);
}

#[test]
fn a_refusal_takes_nothing() {
    let mut budget = tokens(0.5, 0.0, 1.0);
    assert!(budget.allow(START));
    budget.began();
    for _ in 0..100 {
        assert!(!budget.allow(START));
    }
    budget.began();
    assert!(budget.allow(START));
    let state = budget.explain(START);
    assert_eq!((state.allowed, state.refused, state.tokens), (2, 100, Some(0.0)));
}

#[test]
fn options_change_and_what_is_under_way_stays() {
    let mut budget = RetryBudget::new(BudgetConfig::default()).unwrap();
    (0..10).for_each(|_| budget.began());
    assert_eq!(allowed(&mut budget, START), 3);
    budget.update(BudgetConfig::InFlight { ratio: 0.5, min_concurrency: 0 }, START).unwrap();
    assert_eq!(allowed(&mut budget, START), 3);
    assert_eq!(budget.explain(START).retries, 6);
    let bad = BudgetConfig::InFlight { ratio: 0.0, min_concurrency: 0 };
    assert_eq!(budget.update(bad, START).unwrap_err().field, "ratio");

    let mut bucket = tokens(0.1, 0.0, 10.0);
    assert_eq!(allowed(&mut bucket, START), 10);
    let larger = BudgetConfig::Tokens { ratio: 0.1, per_second: 0.0, max_tokens: 15.0 };
    bucket.update(larger, START).unwrap();
    assert_eq!(allowed(&mut bucket, START), 5, "what was taken is still missing");
}

#[test]
fn options_are_checked() {
    let refused = |options: BudgetOptions| {
        let problem = options.build().unwrap_err();
        (problem.field, problem.rule)
    };
    let none = BudgetOptions::default;
    assert_eq!(none().build().unwrap(), BudgetConfig::default());
    assert_eq!(refused(BudgetOptions { ratio: Some(0.0), ..none() }), ("ratio", Rule::Ratio));
    let least = BudgetOptions { min_concurrency: Some(-1.0), ..none() };
    assert_eq!(refused(least), ("minConcurrency", Rule::IntegerAtLeast));
    let seconds = BudgetOptions { per_second: Some(1.0), ..none() };
    assert_eq!(refused(seconds), ("perSecond", Rule::OnlyWith));
    let bucket = || BudgetOptions { tokens: Some(true), ..none() };
    let least = BudgetOptions { min_concurrency: Some(1.0), ..bucket() };
    assert_eq!(refused(least), ("minConcurrency", Rule::NotWith));
    let most = BudgetOptions { max_tokens: Some(0.5), ..bucket() };
    assert_eq!(refused(most), ("maxTokens", Rule::AtLeast));
    let most = BudgetOptions { max_tokens: Some(1e7), ..bucket() };
    assert_eq!(refused(most), ("maxTokens", Rule::AtMost));
    let seconds = BudgetOptions { per_second: Some(-1.0), ..bucket() };
    assert_eq!(refused(seconds), ("perSecond", Rule::AtLeast));
}
