use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;

use proptest::prelude::*;
use seawall::error::Why;
use seawall::limit::rate::{RateConfig, Refusal};
use seawall::tokio::{AcquireRate, RateLimiter};
use seawall_tests::cases;
use tokio::time::{Instant, advance, sleep, timeout};

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

/// Waiters that are kept and never polled again.
fn left_alone(limiter: &RateLimiter, many: usize) -> Vec<Pin<Box<AcquireRate>>> {
    let mut kept: Vec<_> = (0..many).map(|_| Box::pin(limiter.acquire())).collect();
    assert!(kept.iter_mut().all(|waiting| poll(waiting.as_mut()).is_pending()));
    kept
}

#[tokio::test(start_paused = true)]
async fn who_is_kept_and_not_polled_stops_nobody() {
    let limiter = limiter(1);
    limiter.try_acquire().unwrap();
    let mut kept = left_alone(&limiter, 1);
    let begun = Instant::now();
    timeout(ms(10_000), limiter.acquire()).await.unwrap().unwrap();
    assert!(begun.elapsed() >= ms(200) && begun.elapsed() < ms(310), "{:?}", begun.elapsed());
    // Its turn has come all the same.
    assert!(matches!(poll(kept[0].as_mut()), Poll::Ready(Ok(()))));
    assert_eq!((limiter.explain().queued, limiter.explain().granted), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn many_that_are_kept_stop_nobody_for_long() {
    let limiter = limiter(1);
    limiter.try_acquire().unwrap();
    let kept = left_alone(&limiter, 20);
    let begun = Instant::now();
    let order = Mutex::new(Vec::new());
    let live = |number| {
        let (limiter, order) = (&limiter, &order);
        async move {
            timeout(ms(60_000), limiter.acquire()).await.unwrap().unwrap();
            order.lock().unwrap().push(number);
        }
    };
    tokio::join!(live(1), live(2), live(3));
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    let time = begun.elapsed();
    assert!(time >= ms(2_300) && time < ms(4_500), "{time:?}");
    assert_eq!(limiter.explain().granted, 24);
    // What was granted is used, and is no place in line any more.
    drop(kept);
    assert_eq!((limiter.explain().queued, limiter.explain().waiting), (0, 0));
    assert!(limiter.try_acquire().is_err());
}

#[tokio::test(start_paused = true)]
async fn who_asks_anew_moves_those_up_who_are_not_polled() {
    let limiter = limiter(1);
    limiter.try_acquire().unwrap();
    let kept = left_alone(&limiter, 2);
    for queued in [1, 0] {
        advance(ms(110)).await;
        assert!(limiter.try_acquire().is_err());
        assert_eq!(limiter.explain().queued, queued);
    }
    advance(ms(110)).await;
    limiter.try_acquire().unwrap();
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn a_faster_rate_is_told_to_all_in_line() {
    let slow = RateConfig { burst: 2, ..RateConfig::new(1, ms(3_600_000)) };
    let limiter = RateLimiter::new(slow).unwrap();
    limiter.acquire_many(2).await.unwrap();
    let mut heavy = Box::pin(limiter.acquire_many(2));
    assert!(poll(heavy.as_mut()).is_pending());
    let kept = left_alone(&limiter, 1);
    let waits = tokio::spawn({
        let limiter = limiter.clone();
        async move { timeout(ms(60_000), limiter.acquire()).await }
    });
    sleep(ms(10)).await;
    limiter.update(RateConfig { burst: 1, ..RateConfig::new(10, ms(1_000)) }).unwrap();
    waits.await.unwrap().unwrap().unwrap();
    let Poll::Ready(Err(refused)) = poll(heavy.as_mut()) else { panic!("weighs too much now") };
    assert_eq!(refused.why, Why::Rate(Refusal::Weight));
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn who_is_held_back_goes_when_that_is_over() {
    let limiter = limiter(1);
    limiter.try_acquire().unwrap();
    let kept = left_alone(&limiter, 1);
    let begun = Instant::now();
    let live = || timeout(ms(60_000), limiter.acquire());
    let (first, second, ()) = tokio::join!(live(), live(), async { limiter.hold(ms(5_000)) });
    first.unwrap().and(second.unwrap()).unwrap();
    let time = begun.elapsed();
    assert!(time >= ms(5_200) && time < ms(5_450), "{time:?}");
    drop(kept);
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
                let mut went = Vec::new();
                for at in (0..line.len()).rev() {
                    if let Poll::Ready(granted) = poll(line[at].as_mut()) {
                        granted.unwrap();
                        went.insert(0, at);
                        drop(line.remove(at));
                        passed += 1;
                    }
                }
                assert!(went.iter().copied().eq(0..went.len()), "out of turn: {went:?}");
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
    /// The same where some are kept and not polled again: those who are polled wait twice as long at
    /// most.
    #[test]
    fn a_model_of_a_line_in_which_some_sleep(
        waits in prop::collection::vec((any::<bool>(), 0..250_u64), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let limiter = limiter(1);
            let begun = Instant::now();
            let (mut asleep, mut awake) = (Vec::new(), Vec::new());
            for (sleeps, wait) in &waits {
                let mut waiting = Box::pin(limiter.acquire());
                if poll(waiting.as_mut()).is_pending() {
                    if *sleeps { asleep.push(waiting) } else { awake.push(waiting) }
                }
                advance(ms(*wait)).await;
                let before = awake.len();
                awake.retain_mut(|waiting| poll(waiting.as_mut()).is_pending());
                let granted = limiter.explain().granted as f64;
                let most = 1.0 + (begun.elapsed().as_secs_f64() + 0.016) * 10.0;
                assert!(granted <= most + 1e-6, "{granted} of {most}");
                assert!(awake.len() + 2 >= before, "more than are due");
            }
            let (last, rest) = (Instant::now(), (asleep.len() + awake.len()) as u64);
            for waiting in awake {
                timeout(ms(60_000), waiting).await.unwrap().unwrap();
            }
            assert!(last.elapsed() <= ms(rest * 202 + 101), "{:?} for {rest}", last.elapsed());
            drop(asleep);
            assert_eq!((limiter.explain().queued, limiter.explain().waiting), (0, 0));
        });
    }
}
