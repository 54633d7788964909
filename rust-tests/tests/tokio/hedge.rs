use std::cell::Cell;
use std::io;

use seawall::hedge::HedgeConfig;
use seawall::retry::{BudgetConfig, RetryConfig};
use seawall::tokio::{Budget, Hedge, Policy, Retry};
use tokio::time::{Instant, sleep};

use crate::{cut, ms, takes};

fn hedge(most: u32) -> Hedge {
    Hedge::new(HedgeConfig { most, ..HedgeConfig::fixed(ms(50)) }).unwrap()
}

/// Runs tries that take so long each, or fail after so long where it is below zero.
async fn run(hedge: &Hedge, times: &[i64]) -> (Result<i64, i64>, usize, u64) {
    let (made, begun) = (Cell::new(0), Instant::now());
    let answer = hedge
        .call(|| {
            let time = times[made.get()];
            made.set(made.get() + 1);
            async move {
                sleep(ms(time.unsigned_abs())).await;
                if time < 0 { Err(time) } else { Ok(time) }
            }
        })
        .await;
    (answer, made.get(), begun.elapsed().as_millis() as u64)
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_counts() {
    assert_eq!(run(&hedge(1), &[30]).await, (Ok(30), 1, 30));
    assert_eq!(run(&hedge(1), &[500, 20]).await, (Ok(20), 2, 70));
    assert_eq!(run(&hedge(1), &[60, 200]).await, (Ok(60), 2, 60));
    assert_eq!(run(&hedge(3), &[500, 500, 500, 10]).await, (Ok(10), 4, 160));
}

#[tokio::test(start_paused = true)]
async fn a_failure_waits_for_those_under_way() {
    assert_eq!(run(&hedge(1), &[-20]).await, (Err(-20), 1, 20));
    assert_eq!(run(&hedge(1), &[100, -10]).await, (Ok(100), 2, 100));
    assert_eq!(run(&hedge(1), &[-60, 30]).await, (Ok(30), 2, 80));
    assert_eq!(run(&hedge(1), &[-70, -100]).await, (Err(-70), 2, 150), "the first says most");
}

#[tokio::test(start_paused = true)]
async fn a_budget_limits_hedges_and_has_them_back() {
    let budget = Budget::new(BudgetConfig::InFlight { ratio: 0.01, min_concurrency: 1 }).unwrap();
    let hedge = hedge(1).within(budget.clone());
    let made = Cell::new(0);
    let call = || {
        made.set(made.get() + 1);
        takes(200)
    };
    let (one, other) = tokio::join!(hedge.call(call), hedge.call(call));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(made.get(), 3);
    for polls in 0.. {
        let answer = cut(polls, hedge.call(|| takes(100))).await;
        assert_eq!((budget.explain().calls, budget.explain().retries), (0, 0));
        if answer.is_some() {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_counts_once_in_each_budget() {
    let budget = |ratio| Budget::new(BudgetConfig::InFlight { ratio, min_concurrency: 0 }).unwrap();
    let (one, other) = (budget(1.0), budget(1.0));
    for (retries, hedges, counted) in [(&one, &one, [4, 0]), (&one, &other, [4, 4])] {
        let retry = Retry::new(RetryConfig::default()).unwrap().within(retries.clone());
        let policy = Policy::builder().retry(retry).hedge(hedge(1).within(hedges.clone()));
        let policy = policy.build().unwrap();
        let made = Cell::new(0);
        let call = || {
            made.set(made.get() + 1);
            takes(200)
        };
        let calls = async {
            let (a, b, c, d) =
                (policy.call(call), policy.call(call), policy.call(call), policy.call(call));
            tokio::join!(a, b, c, d)
        };
        let look = async {
            sleep(ms(20)).await;
            [one.explain().calls, other.explain().calls]
        };
        assert_eq!(tokio::join!(calls, look).1, counted);
        assert_eq!(made.get(), 8, "as many hedges as calls");
        let left = [one.explain(), other.explain()].map(|budget| budget.calls + budget.retries);
        assert_eq!(left, [0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_follows_counts_those_overtaken() {
    let config = HedgeConfig { minimum: 20, ..HedgeConfig::following(0.5) };
    let hedge = Hedge::new(config).unwrap();
    for _ in 0..20 {
        hedge.call(|| takes(100)).await.unwrap();
    }
    let (known, delay) = hedge.explain();
    assert_eq!(known, 20);
    assert!(delay.unwrap().abs_diff(ms(100)) < ms(10), "{delay:?}");
    let made = Cell::new(0);
    let call = || {
        made.set(made.get() + 1);
        let time = if made.get() == 1 { 1_000 } else { 5 };
        async move { takes(time).await.map_err(|_: io::Error| ()) }
    };
    assert_eq!(hedge.call(call).await, Ok(5));
    assert_eq!(hedge.explain().0, 21);
}
