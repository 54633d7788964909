use std::cell::Cell;
use std::future::pending;
use std::io::{self, ErrorKind};

use seawall::backoff::{Backoff, BackoffConfig, Jitter};
use seawall::breaker::{BreakerConfig, OpenFor, State, TripRule};
use seawall::chaos::ChaosConfig;
use seawall::error::{Error, Why};
use seawall::hedge::HedgeConfig;
use seawall::limit::adaptive::{AdaptiveConfig, Algorithm};
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::limit::rate::RateConfig;
use seawall::limit::throttle::ThrottleConfig;
use seawall::options::Rule;
use seawall::policy::Stage;
use seawall::retry::{BudgetConfig, RetryConfig};
use seawall::timeout::TimeoutConfig;
use seawall::tokio::{
    Adaptive, Breaker, Budget, Bulkhead, Chaos, Hedge, Policy, RateLimiter, Retry, Throttle,
    Timeout,
};
use tokio::time::Instant;

use crate::{cut, fails, ms, takes};

fn retry(tries: u32) -> Retry {
    let mut backoff = BackoffConfig::constant(ms(100));
    backoff.jitter = Jitter::None;
    let backoff = Backoff::new(backoff).unwrap();
    Retry::new(RetryConfig { max_attempts: Some(tries), ..RetryConfig::with(backoff) }).unwrap()
}

fn breaker(failures: u32) -> Breaker {
    let config = BreakerConfig {
        trip: TripRule::Consecutive(failures),
        open_for: OpenFor::Fixed(ms(10_000)),
        ..BreakerConfig::default()
    };
    Breaker::new(config).unwrap()
}

fn timeout(time: u64) -> Timeout {
    Timeout::new(TimeoutConfig::fixed(ms(time))).unwrap()
}

fn bulkhead() -> Bulkhead {
    Bulkhead::new(BulkheadConfig::new(1)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_breaker_within_a_retry_sees_every_try() {
    let breaker = breaker(3);
    let policy = Policy::builder().retry(retry(5)).breaker(breaker.clone()).build().unwrap();
    let made = Cell::new(0);
    let call = || {
        made.set(made.get() + 1);
        fails()
    };
    let answer = policy.call(call).await;
    assert_eq!(made.get(), 3);
    assert_eq!(breaker.state(), State::Open);
    assert!(answer.unwrap_err().rejected().is_some(), "the fourth try was refused, and ends it");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_around_a_retry_sees_one_outcome() {
    let breaker = breaker(2);
    let policy = Policy::builder()
        .retry(retry(5))
        .breaker(breaker.clone())
        .order(&[Stage::Breaker, Stage::Retry])
        .build()
        .unwrap();
    assert!(matches!(policy.call(fails).await, Err(Error::Failed(_))));
    assert_eq!(breaker.state(), State::Closed);
    assert!(matches!(policy.call(fails).await, Err(Error::Failed(_))));
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_it_all_and_no_wait_goes_past_it() {
    let policy = Policy::builder().deadline(ms(250)).retry(retry(100)).build().unwrap();
    let begun = Instant::now();
    assert!(matches!(policy.call(fails).await, Err(Error::Failed(_))), "no wait past it");
    assert!(begun.elapsed() < ms(250));
    let hangs = policy.call(pending::<io::Result<u64>>).await;
    let Err(Error::TimedOut(late)) = hangs else { panic!("{hangs:?}") };
    assert_eq!((late.by, late.limit), (Stage::Deadline, ms(250)));
}

#[tokio::test(start_paused = true)]
async fn a_time_out_is_a_failure_to_repeat_and_gives_the_place_back() {
    let (breaker, bulkhead) = (breaker(100), bulkhead());
    let policy = Policy::builder()
        .retry(retry(3))
        .breaker(breaker.clone())
        .timeout(timeout(50))
        .bulkhead(bulkhead.clone())
        .build()
        .unwrap();
    let made = Cell::new(0);
    let answer = policy
        .call(|| {
            made.set(made.get() + 1);
            takes(if made.get() < 3 { 1_000 } else { 10 })
        })
        .await;
    assert_eq!(answer.unwrap(), 10);
    assert_eq!(bulkhead.explain().running, 0);
    let totals = breaker.circuit().explain(seawall::tokio::now()).totals;
    assert_eq!((totals.failures, made.get()), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_learns_of_time_outs() {
    let config = AdaptiveConfig {
        min_samples: 5,
        min_window: ms(100),
        ..AdaptiveConfig::with(Algorithm::Aimd)
    };
    let adaptive = Adaptive::new(config).unwrap();
    let policy = Policy::builder().timeout(timeout(50)).adaptive(adaptive.clone()).build().unwrap();
    for _ in 0..50 {
        let late = policy.call(|| takes(1_000)).await;
        assert!(matches!(late, Err(Error::TimedOut(_))));
    }
    assert!(adaptive.explain().limit < 20, "{:?}", adaptive.explain());
    assert_eq!(adaptive.explain().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn chaos_counts_as_a_failure() {
    let breaker = breaker(2);
    let chaos = Chaos::new(ChaosConfig { enabled: true, ..ChaosConfig::failing(1.0) }).unwrap();
    let policy = Policy::builder().chaos(chaos).breaker(breaker.clone()).build().unwrap();
    for _ in 0..2 {
        assert!(matches!(policy.call(|| takes(1)).await, Err(Error::Struck)));
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn contradictions_are_named() {
    let wrong = Policy::builder()
        .retry(retry(2))
        .timeout(timeout(1))
        .order(&[Stage::Timeout, Stage::Retry])
        .build();
    let problem = wrong.unwrap_err();
    assert_eq!((problem.field, problem.rule), ("retry", Rule::Outside));
    let wrong = Policy::builder().deadline(ms(10)).timeout(timeout(20)).build();
    assert_eq!(wrong.unwrap_err().field, "deadlineMs");
    let adaptive = Adaptive::new(AdaptiveConfig::default()).unwrap();
    let wrong = Policy::builder().bulkhead(bulkhead()).adaptive(adaptive).build();
    assert_eq!(wrong.unwrap_err().rule, Rule::NotWith);
}

/// All there is, cut at every place it waits: nothing is held afterwards.
#[tokio::test(start_paused = true)]
async fn everything_is_given_back_wherever_it_is_dropped() {
    let budget = Budget::new(BudgetConfig::default()).unwrap();
    let (breaker, bulkhead) = (breaker(1_000), bulkhead());
    let rate = RateLimiter::new(RateConfig { burst: 1, ..RateConfig::new(100, ms(1_000)) });
    let rate = rate.unwrap();
    let policy = Policy::builder()
        .deadline(ms(5_000))
        .retry(retry(3).within(budget.clone()))
        .hedge(Hedge::new(HedgeConfig::fixed(ms(30))).unwrap().within(budget.clone()))
        .rate_limit(rate.clone())
        .throttle(Throttle::new(ThrottleConfig::default()).unwrap())
        .breaker(breaker.clone())
        .timeout(timeout(1_000))
        .bulkhead(bulkhead.clone())
        .build()
        .unwrap();
    for polls in 0.. {
        let made = Cell::new(0);
        let answer = cut(
            polls,
            policy.call(|| {
                made.set(made.get() + 1);
                let (number, fails) = (made.get(), made.get() < 3);
                async move {
                    takes(number * 20).await?;
                    if fails {
                        Err(io::Error::from(ErrorKind::ConnectionReset))
                    } else {
                        Ok(number)
                    }
                }
            }),
        )
        .await;
        let (budget, bulkhead) = (budget.explain(), bulkhead.explain());
        assert_eq!((budget.calls, budget.retries), (0, 0), "after {polls} polls");
        assert_eq!((bulkhead.running, bulkhead.queued), (0, 0), "after {polls} polls");
        assert_eq!(rate.explain().queued, 0, "after {polls} polls");
        assert_eq!(breaker.state(), State::Closed);
        if let Some(answer) = answer {
            assert!(answer.is_ok() && polls > 5, "{answer:?} after {polls} polls");
            break;
        }
        tokio::time::advance(ms(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_are_waited_for_where_that_is_wanted() {
    let breaker = breaker(1);
    let _ = breaker.call(fails()).await;
    let config = RetryConfig { wait_for_refusals: true, ..RetryConfig::default() };
    let policy = Policy::builder()
        .retry(Retry::new(config).unwrap())
        .breaker(breaker.clone())
        .build()
        .unwrap();
    let begun = Instant::now();
    assert_eq!(policy.call(|| takes(1)).await.unwrap(), 1);
    assert!(begun.elapsed() >= ms(10_000));
    breaker.circuit().isolate(seawall::tokio::now());
    let refused = policy.call(|| takes(1)).await.unwrap_err();
    let isolated = Why::Breaker(seawall::breaker::Reason::Isolated);
    assert_eq!(refused.rejected().unwrap().why, isolated);
}

#[test]
fn a_call_is_not_much_larger_than_its_future() {
    let policy = Policy::builder().build().unwrap();
    let large = || async {
        let room = [1_u8; 1_000];
        takes(3).await.map(|time| time + u64::from(std::hint::black_box(room)[0]))
    };
    let (inner, whole) = (size_of_val(&large()), size_of_val(&policy.call(large)));
    assert!(whole < inner * 5 + 2_000, "{whole} around {inner}");
}

#[tokio::test(start_paused = true)]
async fn no_parts_let_everything_through() {
    let policy = Policy::builder().build().unwrap();
    assert_eq!(policy.call(|| takes(3)).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_run_in_a_task() {
    let policy = Policy::builder()
        .deadline(ms(1_000))
        .retry(retry(2))
        .hedge(Hedge::new(HedgeConfig::fixed(ms(50))).unwrap())
        .breaker(breaker(5))
        .timeout(timeout(500))
        .bulkhead(bulkhead())
        .build()
        .unwrap();
    let task = tokio::spawn(async move { policy.call(|| takes(10)).await });
    assert_eq!(task.await.unwrap().unwrap(), 10);
}
