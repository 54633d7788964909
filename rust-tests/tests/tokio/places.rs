use std::io;
use std::pin::Pin;
use std::task::Poll;

use proptest::prelude::*;
use seawall::error::Why;
use seawall::limit::adaptive::{AdaptiveConfig, Algorithm};
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::tokio::{AcquirePlace, Adaptive, Bulkhead, Place, Setup};
use seawall_tests::cases;
use tokio::time::{Instant, advance, sleep};

use crate::{ms, poll, takes};

fn bulkhead(max_concurrent: u32, max_queue: u32, queue_timeout: Option<u64>) -> Bulkhead {
    let queue_timeout = queue_timeout.map(ms);
    Bulkhead::new(BulkheadConfig { max_concurrent, max_queue, queue_timeout }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_in_the_order_of_coming() {
    let bulkhead = bulkhead(1, 10, None);
    let order = std::sync::Mutex::new(Vec::new());
    let calls = (0..5).map(|number| {
        let (bulkhead, order) = (&bulkhead, &order);
        async move {
            let answer = bulkhead.call(takes(10)).await;
            order.lock().unwrap().push(number);
            answer
        }
    });
    let calls: Vec<_> = calls.map(Box::pin).collect();
    for call in join_all(calls).await {
        assert_eq!(call.unwrap(), 10);
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
}

async fn join_all<F: Future>(mut futures: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut answers: Vec<_> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        let mut missing = false;
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(it) => *answer = Some(it),
                    Poll::Pending => missing = true,
                }
            }
        }
        if missing { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    answers.into_iter().flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn full_and_expired() {
    let bulkhead = bulkhead(1, 1, Some(50));
    let place = bulkhead.acquire().await.unwrap();
    let begun = Instant::now();
    let (waited, refused) = tokio::join!(bulkhead.acquire(), bulkhead.acquire());
    assert_eq!(refused.unwrap_err().why, Why::Full);
    assert_eq!(waited.unwrap_err().why, Why::Expired);
    assert!((50..53).contains(&(begun.elapsed().as_millis() as u64)));
    assert_eq!(bulkhead.try_acquire().unwrap_err().why, Why::Full);
    drop(place);
    assert!(bulkhead.try_acquire().is_ok());
    assert_eq!(bulkhead.explain().totals.expired, 1);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_given_to_a_future_dropped_since_goes_on() {
    let bulkhead = bulkhead(1, 2, None);
    let place = bulkhead.try_acquire().unwrap();
    let mut first = Box::pin(bulkhead.acquire());
    let mut second = Box::pin(bulkhead.acquire());
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    drop(place);
    // The first one has the place and does not know it yet.
    drop(first);
    assert!(matches!(poll(second.as_mut()), Poll::Ready(Ok(_))));
    drop(second);
    assert_eq!(bulkhead.explain().running, 0);
}

#[tokio::test(start_paused = true)]
async fn more_room_wakes_who_waits() {
    let bulkhead = bulkhead(1, 5, None);
    let _place = bulkhead.try_acquire().unwrap();
    let (waited, ()) = tokio::join!(bulkhead.acquire(), async {
        sleep(ms(10)).await;
        bulkhead.update(BulkheadConfig { max_queue: 5, ..BulkheadConfig::new(2) }).unwrap();
    });
    assert!(waited.is_ok());
    assert_eq!(bulkhead.explain().running, 2);
}

#[tokio::test(start_paused = true)]
async fn a_new_time_to_wait_holds_for_those_who_wait() {
    let bulkhead = bulkhead(1, 1, None);
    let _place = bulkhead.try_acquire().unwrap();
    let waits = tokio::spawn(bulkhead.acquire());
    sleep(ms(50)).await;
    let sooner = BulkheadConfig { queue_timeout: Some(ms(100)), ..bulkhead.explain().config };
    bulkhead.update(sooner).unwrap();
    sleep(ms(49)).await;
    assert!(!waits.is_finished());
    sleep(ms(1_000)).await;
    assert!(waits.is_finished());
    assert_eq!(waits.await.unwrap().unwrap_err().why, Why::Expired);
    let waits = tokio::spawn(bulkhead.acquire());
    sleep(ms(50)).await;
    bulkhead.update(BulkheadConfig { queue_timeout: None, ..sooner }).unwrap();
    sleep(ms(1_000)).await;
    assert!(!waits.is_finished(), "as long as it takes");
}

#[tokio::test(start_paused = true)]
async fn a_new_time_to_wait_for_an_adaptive_limit() {
    let limiter = Adaptive::new(AdaptiveConfig { initial_limit: 1, ..AdaptiveConfig::default() });
    let limiter = limiter.unwrap().queueing(1, None).unwrap();
    let _place = limiter.try_acquire().unwrap();
    let waits = tokio::spawn(limiter.acquire());
    sleep(ms(50)).await;
    let _same = limiter.clone().queueing(1, Some(ms(100))).unwrap();
    sleep(ms(1_000)).await;
    assert!(waits.is_finished());
    assert_eq!(waits.await.unwrap().unwrap_err().why, Why::Expired);
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_follows_and_forgets_who_was_dropped() {
    let config = AdaptiveConfig {
        initial_limit: 2,
        min_samples: 5,
        ..AdaptiveConfig::with(Algorithm::Aimd)
    };
    let limiter = Adaptive::with(config, Setup::named("x").seed(1)).unwrap();
    let limiter = limiter.queueing(100, Some(ms(5_000))).unwrap();
    for _ in 0..20 {
        let calls: Vec<_> = (0..8).map(|_| Box::pin(limiter.call(takes(200)))).collect();
        for call in join_all(calls).await {
            call.unwrap();
        }
    }
    let explained = limiter.explain();
    assert!(explained.limit > 2, "{explained:?}");
    assert_eq!(explained.in_flight, 0);
    let limit = explained.limit;
    for _ in 0..100 {
        let mut call = Box::pin(limiter.call(takes(10)));
        assert!(poll(call.as_mut()).is_pending());
        advance(ms(50)).await;
    }
    let explained = limiter.explain();
    assert_eq!((explained.limit, explained.in_flight), (limit, 0));
}

/// A number, and the place once the future knows of it.
type InLine = (u32, Result<Place, Pin<Box<AcquirePlace>>>);

#[derive(Debug, Clone, Copy)]
enum Op {
    Enter,
    Poll(usize),
    Cancel(usize),
    Leave(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Enter),
        3 => any::<usize>().prop_map(Op::Poll),
        1 => any::<usize>().prop_map(Op::Cancel),
        2 => any::<usize>().prop_map(Op::Leave),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(200)))]

    /// Against a list of numbers: the first `limit` of those in line have places, whoever polls when.
    #[test]
    fn a_model_of_the_queue(limit in 1..4_usize, ops in prop::collection::vec(op(), 0..60)) {
        let bulkhead = bulkhead(limit as u32, 1_000, None);
        let mut next = 0;
        // In the order of coming, and how far the future knows.
        let mut line: Vec<InLine> = Vec::new();
        for op in ops {
            match op {
                Op::Enter => {
                    let mut future = Box::pin(bulkhead.acquire());
                    let polled = poll(future.as_mut());
                    let has_room = line.len() < limit;
                    match polled {
                        Poll::Ready(place) => {
                            prop_assert!(has_room);
                            line.push((next, Ok(place.unwrap())));
                        }
                        Poll::Pending => {
                            prop_assert!(!has_room);
                            line.push((next, Err(future)));
                        }
                    }
                    next += 1;
                }
                Op::Poll(at) if !line.is_empty() => {
                    let at = at % line.len();
                    if let Err(future) = &mut line[at].1 {
                        match poll(future.as_mut()) {
                            Poll::Ready(place) => {
                                prop_assert!(at < limit);
                                line[at].1 = Ok(place.unwrap());
                            }
                            Poll::Pending => prop_assert!(at >= limit),
                        }
                    }
                }
                Op::Cancel(at) | Op::Leave(at) if !line.is_empty() => {
                    let at = at % line.len();
                    if line[at].1.is_ok() == matches!(op, Op::Leave(_)) {
                        drop(line.remove(at));
                    }
                }
                _ => {}
            }
            let explained = bulkhead.explain();
            prop_assert_eq!(explained.running as usize, line.len().min(limit));
            prop_assert_eq!(explained.queued as usize, line.len().saturating_sub(limit));
        }
        drop(line);
        prop_assert_eq!((bulkhead.explain().running, bulkhead.explain().queued), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_call_is_the_answer() {
    let bulkhead = bulkhead(1, 0, None);
    let failed = bulkhead.call(async { Err::<(), _>(io::Error::other("x")) }).await;
    assert_eq!(failed.unwrap_err().into_failed().unwrap().to_string(), "x");
}
