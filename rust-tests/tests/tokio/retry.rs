use std::cell::Cell;
use std::io::{Error, ErrorKind};

use seawall::backoff::{Backoff, BackoffConfig, Jitter};
use seawall::classify::{AllPass, Judged, Processed, Scope, Verdict};
use seawall::retry::{BudgetConfig, RetryConfig};
use seawall::tokio::{Budget, Policy, Retry, Setup};
use tokio::time::{Instant, advance};

use crate::{cut, fails, ms, poll};

fn config(tries: u32) -> RetryConfig {
    let mut backoff = BackoffConfig::constant(ms(100));
    backoff.jitter = Jitter::None;
    RetryConfig { max_attempts: Some(tries), ..RetryConfig::with(Backoff::new(backoff).unwrap()) }
}

fn retry(tries: u32) -> Retry {
    Retry::with(config(tries), Setup::named("x").seed(1)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_is_not_repeated() {
    for (kind, tries) in [(ErrorKind::ConnectionRefused, 3), (ErrorKind::PermissionDenied, 1)] {
        let made = Cell::new(0);
        let answer = retry(3)
            .call(|| {
                made.set(made.get() + 1);
                async move { Err::<(), _>(Error::from(kind)) }
            })
            .await;
        assert_eq!((answer.unwrap_err().kind(), made.get()), (kind, tries));
    }
}

#[tokio::test(start_paused = true)]
async fn waits_between_tries_and_answers_the_last_failure() {
    let begun = Instant::now();
    let mut number = 0;
    let answer = retry(4)
        .call_judged(AllPass, || {
            number += 1;
            std::future::ready(Err::<(), _>(number))
        })
        .await;
    assert_eq!(answer, Err(4));
    assert!((300..305).contains(&(begun.elapsed().as_millis() as u64)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_was_asked_for_is_kept() {
    let judge = |result: Result<&u32, &()>| match result {
        Ok(503) => Judged::Failure(Some(Verdict {
            transient: true,
            processed: Processed::No,
            scope: Scope::Request,
            throttled: true,
            retry_after: Some(ms(700)),
        })),
        _ => Judged::Success,
    };
    let begun = Instant::now();
    let mut answers = [503, 200].into_iter();
    let answer =
        retry(3).call_judged(judge, || std::future::ready(Ok(answers.next().unwrap()))).await;
    assert_eq!(answer, Ok(200));
    assert!(begun.elapsed() >= ms(700));
    let answer = retry(2).call_judged(judge, || std::future::ready(Ok(503))).await;
    assert_eq!(answer, Ok(503), "the bad answer is the answer, in the end");
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_kept_and_given_back_wherever_the_call_is_dropped() {
    let budget = BudgetConfig::InFlight { ratio: 0.01, min_concurrency: 1 };
    let budget = Budget::new(budget).unwrap();
    let retry = retry(3).within(budget.clone());
    let call = || async {
        tokio::time::sleep(ms(10)).await;
        fails().await
    };
    for polls in 0.. {
        let answer = cut(polls, retry.call(call)).await;
        let explained = budget.explain();
        assert_eq!((explained.calls, explained.retries), (0, 0), "after {polls} polls");
        if answer.is_some() {
            assert!(polls > 4);
            break;
        }
    }
    let (mut one, mut made) = (Box::pin(retry.call(call)), 0);
    let other = async {
        tokio::time::sleep(ms(50)).await;
        let call = || {
            made += 1;
            call()
        };
        assert!(retry.call(call).await.is_err());
    };
    let (first, ()) = tokio::join!(&mut one, other);
    assert!(first.is_err());
    assert_eq!(made, 1, "the only repetition was under way");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_waits_the_same() {
    let mut times = Vec::new();
    for _ in 0..2 {
        let retry = Retry::with(RetryConfig::default(), Setup::default().seed(9)).unwrap();
        let begun = Instant::now();
        let _ = retry.call(fails).await;
        times.push(begun.elapsed());
    }
    assert_eq!(times[0], times[1]);
    let other = Retry::with(RetryConfig::default(), Setup::default().seed(10)).unwrap();
    let begun = Instant::now();
    let _ = other.call(fails).await;
    assert_ne!(times[0], begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_limit_on_all_of_it_counts_from_the_first_try() {
    let config = RetryConfig { max_elapsed: Some(ms(250)), ..config(100) };
    let limited = Retry::new(config).unwrap();
    let begun = Instant::now();
    assert!(limited.call(fails).await.is_err());
    assert!((200..210).contains(&(begun.elapsed().as_millis() as u64)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_will_not_do_is_not_held_while_waiting_for_the_next() {
    #[derive(Debug)]
    struct Held<'a>(&'a Cell<u32>);
    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let held = Cell::new(0);
    let call = || {
        held.set(held.get() + 1);
        std::future::ready(Ok::<_, Error>(Held(&held)))
    };
    let never = |_: Result<&Held<'_>, &Error>| Judged::PASSING;
    let config = RetryConfig::with(Backoff::new(BackoffConfig::constant(ms(10_000))).unwrap());
    let retry = Retry::new(RetryConfig { max_attempts: Some(2), ..config }).unwrap();
    let policy = Policy::builder().retry(retry.clone()).build().unwrap();
    let mut whole = std::pin::pin!(policy.call_judged(never, call));
    assert!(poll(whole.as_mut()).is_pending());
    assert_eq!(held.get(), 0, "by the policy, while it waits");
    advance(ms(1_000)).await;
    assert!(poll(whole.as_mut()).is_pending());
    assert_eq!(held.get(), 0);
    let last = whole.await.unwrap();
    assert_eq!(last.0.get(), 1, "the last one is the answer");
    drop(last);
    let mut alone = std::pin::pin!(retry.call_judged(never, call));
    assert!(poll(alone.as_mut()).is_pending());
    assert_eq!(held.get(), 0, "by the retry, while it waits");
}
