use std::pin::Pin;
use std::task::Poll;

use proptest::prelude::*;
use seawall::error::Why;
use seawall::limit::rate::{RateConfig, Refusal};
use seawall::tokio::{AcquireRate, RateLimiter};
use seawall_tests::cases;
use tokio::time::{Instant, advance, sleep};

use crate::{ms, poll, takes};

/// Ten a second, so many at once.
fn limiter(burst: u32) -> RateLimiter {
    RateLimiter::new(RateConfig { burst, ..RateConfig::new(10, ms(1_000)) }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_go_at_the_rate_in_the_order_of_coming() {
    let limiter = limiter(1);
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..5_u64 {
        let limiter = limiter.clone();
        tasks.push(tokio::spawn(async move {
            limiter.acquire().await.unwrap();
            (number, begun.elapsed().as_millis() as u64)
        }));
        tokio::task::yield_now().await;
    }
    for (at, task) in tasks.into_iter().enumerate() {
        let (number, time) = task.await.unwrap();
        assert_eq!(number as usize, at);
        assert!((number * 100..number * 100 + 10).contains(&time), "{number} at {time}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_lets_all_behind_move_up() {
    let limiter = limiter(1);
    limiter.acquire().await.unwrap();
    let mut first = Box::pin(limiter.acquire());
    let mut second = Box::pin(limiter.acquire());
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    drop(first);
    let begun = Instant::now();
    second.await.unwrap();
    assert!((100..103).contains(&(begun.elapsed().as_millis() as u64)));
    assert_eq!(limiter.explain().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn refusals_say_when() {
    let limiter = limiter(2).waiting_at_most(ms(150));
    limiter.acquire_many(2).await.unwrap();
    let refused = limiter.try_acquire().unwrap_err();
    assert_eq!((refused.why, refused.retry_after), (Why::Rate(Refusal::Rate), Some(ms(100))));
    let refused = limiter.acquire_many(2).await.unwrap_err();
    assert_eq!(refused.why, Why::Rate(Refusal::Wait));
    let refused = limiter.acquire_many(3).await.unwrap_err();
    assert_eq!((refused.why, refused.retry_after), (Why::Rate(Refusal::Weight), None));
    limiter.hold(ms(500));
    let refused = limiter.call(takes(1)).await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(ms(500)));
}

#[tokio::test(start_paused = true)]
async fn a_faster_rate_wakes_the_line() {
    let limiter =
        RateLimiter::new(RateConfig { burst: 1, ..RateConfig::new(1, ms(60_000)) }).unwrap();
    limiter.acquire().await.unwrap();
    let begun = Instant::now();
    let (waited, ()) = tokio::join!(limiter.acquire(), async {
        sleep(ms(10)).await;
        let faster = RateConfig { burst: 1, ..RateConfig::new(100, ms(1_000)) };
        limiter.update(faster).unwrap();
    });
    waited.unwrap();
    assert!(begun.elapsed() < ms(1_000), "{:?}", begun.elapsed());
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Ask,
    Cancel(usize),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Ask),
        1 => any::<usize>().prop_map(Op::Cancel),
        2 => (1..250_u64).prop_map(Op::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(100)))]

    /// Nobody is let through out of turn, no more than the rate, and in the end everybody is.
    #[test]
    fn a_model_of_the_line(burst in 1..4_u32, ops in prop::collection::vec(op(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let limiter = limiter(burst);
            let begun = Instant::now();
            let mut line: Vec<Pin<Box<AcquireRate>>> = Vec::new();
            let mut passed = 0_u32;
            for op in ops {
                match op {
                    Op::Ask => line.push(Box::pin(limiter.acquire())),
                    Op::Cancel(at) if !line.is_empty() => drop(line.remove(at % line.len())),
                    Op::Cancel(_) => {}
                    Op::Wait(time) => advance(ms(time)).await,
                }
                // The last one first: who comes first counts, not who asks first.
                for again in 0..line.len() + 1 {
                    let before = line.len();
                    for at in (0..line.len()).rev() {
                        if let Poll::Ready(granted) = poll(line[at].as_mut()) {
                            granted.unwrap();
                            assert_eq!(at, 0, "out of turn at look {again}");
                            drop(line.remove(at));
                            passed += 1;
                        }
                    }
                    if line.len() == before {
                        break;
                    }
                }
                // Up to 16 ms of a late timer are made up for.
                let most = f64::from(burst) + (begun.elapsed().as_secs_f64() + 0.016) * 10.0;
                assert!(f64::from(passed) <= most + 1e-6, "{passed} of {most}");
                assert_eq!(limiter.explain().queued as usize, line.len());
            }
            let rest = line.len() as u64;
            let last = Instant::now();
            for waiting in line {
                waiting.await.unwrap();
            }
            assert!(last.elapsed() <= ms(rest * 101 + 1), "{:?} for {rest}", last.elapsed());
        });
    }
}
