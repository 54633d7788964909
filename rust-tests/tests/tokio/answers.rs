use std::fmt::Error as Failed;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use seawall::cache::LifetimesConfig;
use seawall::error::Error;
use seawall::retry::RetryConfig;
use seawall::tokio::{Cache, Coalesce, Policy, Retry};
use tokio::time::{advance, sleep};

use crate::{ms, poll};

fn cache(most: u32) -> Cache<u32, u32> {
    let lifetimes = LifetimesConfig {
        stale_while_revalidate: ms(1000),
        stale_if_error: ms(5000),
        ..LifetimesConfig::new(ms(100))
    };
    Cache::new(lifetimes, most).unwrap()
}

async fn ok(value: u32) -> Result<u32, Failed> {
    Ok(value)
}

async fn down() -> Result<u32, Failed> {
    Err(Failed)
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_its_time() {
    let cache = cache(10);
    assert_eq!(cache.call(1, || ok(1)).await, Ok(1));
    advance(ms(99)).await;
    assert_eq!(cache.call(1, || ok(2)).await, Ok(1));
    assert_eq!(cache.get(&1), Some(1));
    advance(ms(1)).await;
    assert_eq!(cache.get(&1), None);
    assert_eq!(cache.call(1, || ok(2)).await, Ok(2));
    assert_eq!(cache.call(2, down).await, Err(Failed));
    assert!(cache.forget(&1) && !cache.forget(&1));
    assert_eq!(cache.call(1, || ok(3)).await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn one_call_fetches_a_stale_answer_anew_and_the_others_do_not_wait() {
    let cache = cache(10);
    cache.insert(1, 1, None);
    advance(ms(200)).await;
    let slow = || async {
        sleep(ms(50)).await;
        Ok::<_, Failed>(2)
    };
    let begun = tokio::time::Instant::now();
    let other = async {
        sleep(ms(10)).await;
        let answer = cache.call(1, || ok(3)).await;
        (answer, begun.elapsed())
    };
    let (first, other) = tokio::join!(cache.call(1, slow), other);
    assert_eq!((first, other), (Ok(2), (Ok(1), ms(10))));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_is_given_up_is_another_calls() {
    let cache = cache(10);
    cache.insert(1, 1, None);
    advance(ms(200)).await;
    drop(
        tokio::time::timeout(ms(5), cache.call(1, std::future::pending::<Result<_, Failed>>)).await,
    );
    assert_eq!(cache.call(1, || ok(2)).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_stands_in_for_a_failure() {
    let cache = cache(10);
    cache.insert(1, 1, None);
    advance(ms(3000)).await;
    assert_eq!(cache.call(1, down).await, Ok(1));
    advance(ms(3000)).await;
    assert_eq!(cache.call(1, down).await, Err(Failed));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_or_inserted_while_it_is_fetched_does_not_come_back() {
    let cache = cache(10);
    let slow = |value| async move {
        sleep(ms(50)).await;
        Ok::<_, Failed>(value)
    };
    let mut early = Box::pin(cache.call(1, || slow(1)));
    assert!(poll(early.as_mut()).is_pending());
    cache.forget(&1);
    let mut later = Box::pin(cache.call(1, || slow(2)));
    assert!(poll(later.as_mut()).is_pending());
    assert_eq!(early.await, Ok(1), "it is the answer of who asked before");
    assert_eq!(cache.get(&1), None);
    assert_eq!(later.await, Ok(2));
    assert_eq!(cache.get(&1), Some(2));

    let mut fetch = Box::pin(cache.call(3, || slow(3)));
    assert!(poll(fetch.as_mut()).is_pending());
    cache.insert(3, 30, None);
    assert_eq!(fetch.await, Ok(3));
    assert_eq!(cache.get(&3), Some(30));
    // What came in between is forgotten with the last fetch.
    advance(ms(10_000)).await;
    assert_eq!(cache.call(3, || slow(4)).await, Ok(4));
    assert_eq!(cache.get(&3), Some(4));
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_stands_in_only_where_it_is_good_enough_at_the_end() {
    let cache = cache(10);
    let fails_after = |time| async move {
        sleep(ms(time)).await;
        Err(Failed)
    };
    cache.insert(1, 1, None);
    advance(ms(2_000)).await;
    assert_eq!(cache.call(1, || fails_after(50)).await, Ok(1));
    assert_eq!(cache.call(1, || fails_after(6_000)).await, Err(Failed), "too old by then");

    cache.insert(2, 2, None);
    advance(ms(2_000)).await;
    let mut fetch = Box::pin(cache.call(2, || fails_after(50)));
    assert!(poll(fetch.as_mut()).is_pending());
    assert!(cache.forget(&2));
    assert_eq!(fetch.await, Err(Failed), "it was known to be wrong");

    for too_late in [false, true] {
        cache.insert(2, 2, None);
        advance(ms(2_000)).await;
        let mut fetch = Box::pin(cache.call(2, || fails_after(50)));
        assert!(poll(fetch.as_mut()).is_pending());
        cache.insert(2, 20, None);
        let stale = cache.explain().stale;
        if too_late {
            advance(ms(10_000)).await;
        }
        let wanted = if too_late { Err(Failed) } else { Ok(20) };
        assert_eq!(fetch.await, wanted, "what is kept now counts");
        assert_eq!(cache.explain().stale - stale, u64::from(!too_late));
    }
    // Two fetch the same, and one of them comes back with nothing.
    let mut fetch = Box::pin(cache.call(4, || fails_after(50)));
    assert!(poll(fetch.as_mut()).is_pending());
    assert_eq!(cache.call(4, || async { Ok::<_, Failed>(40) }).await, Ok(40));
    assert_eq!(fetch.await, Ok(40));

    // There was none when it began.
    let mut fetch = Box::pin(cache.call(3, || fails_after(50)));
    assert!(poll(fetch.as_mut()).is_pending());
    cache.insert(3, 30, None);
    assert_eq!(fetch.await, Ok(30));
}

#[tokio::test(start_paused = true)]
async fn who_asks_after_a_change_does_not_join_what_began_before() {
    let answers = Policy::builder().build().unwrap().answers().cached(cache(10)).coalesced();
    let fetched = Arc::new(AtomicU32::new(0));
    let fetch = move || {
        let number = fetched.fetch_add(1, Ordering::SeqCst);
        async move {
            sleep(ms(50)).await;
            Ok::<_, Failed>(number)
        }
    };
    let mut before = Box::pin(answers.call(1, fetch.clone()));
    assert!(poll(before.as_mut()).is_pending());
    assert!(!answers.forget(&1), "nothing is kept yet");
    let (before, after) = tokio::join!(before, answers.call(1, fetch.clone()));
    assert_eq!((before.unwrap(), after.unwrap()), (0, 1));
    assert_eq!(answers.call(1, fetch).await.unwrap(), 1);
    assert!(answers.forget(&1));
}

#[tokio::test(start_paused = true)]
async fn no_more_is_kept_than_there_is_room_for() {
    let cache = cache(8);
    for key in 0..1000 {
        cache.insert(key, key, None);
        // What is asked for again and again stays.
        cache.insert(0, 0, None);
        assert!(cache.explain().entries <= 8);
    }
    assert_eq!(cache.get(&0), Some(0));
    assert_eq!(cache.get(&999), Some(999));
    assert!(cache.explain().evictions >= 990);
}

#[tokio::test(start_paused = true)]
async fn parallel_calls_are_one_and_whoever_leaves_fails_nobody() {
    let begun = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&begun);
    let call = move || {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            sleep(ms(50)).await;
            sleep(ms(50)).await;
            Ok::<_, Failed>(number)
        }
    };
    let users = Coalesce::new();
    // The first one, who has begun it and was woken last, leaves half-way.
    let first = tokio::time::timeout(ms(60), users.call(7, call.clone()));
    let (first, second, third) =
        tokio::join!(first, users.call(7, call.clone()), users.call(7, call.clone()));
    assert!(first.is_err());
    assert_eq!((second, third), (Ok(0), Ok(0)));
    assert_eq!((begun.load(Ordering::SeqCst), users.running()), (1, 0));
    assert_eq!(users.call(7, call).await, Ok(1), "a result is not kept");
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_all_have_left_is_dropped() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let call = move || {
        let held = Arc::clone(&held);
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<u32, Failed>(1)
        }
    };
    let users = Coalesce::new();
    let gone = tokio::time::timeout(ms(10), users.call(1, &call)).await;
    assert!(gone.is_err());
    assert_eq!((Arc::strong_count(&alive), users.running()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_began_too_long_ago_is_joined_by_nobody_and_what_is_too_many_is_not_shared() {
    let users = Coalesce::bounded(1, ms(100));
    let hang = std::future::pending::<Result<u32, Failed>>;
    let mut hanging = Box::pin(users.call(1, hang));
    let mut context = Context::from_waker(Waker::noop());
    assert!(hanging.as_mut().poll(&mut context).is_pending());
    assert_eq!(users.call(2, || ok(2)).await, Ok(2));
    assert_eq!(users.running(), 1, "no room for another key");
    advance(ms(101)).await;
    assert_eq!(users.call(1, || ok(3)).await, Ok(3));
    drop(hanging);
    assert_eq!(users.running(), 0);
}

#[test]
fn a_panic_is_one_callers_and_the_others_begin_anew() {
    let users = Coalesce::<u32, u32, Failed>::new();
    let tries = AtomicU32::new(0);
    let tries = &*Box::leak(Box::new(tries));
    let call = || {
        let number = tries.fetch_add(1, Ordering::SeqCst);
        let mut polled = false;
        std::future::poll_fn(move |_| {
            assert!(number > 0 || !std::mem::replace(&mut polled, true), "it panics");
            if number > 0 { Poll::Ready(Ok(number)) } else { Poll::Pending }
        })
    };
    let (mut one, mut two) = (Box::pin(users.call(1, call)), Box::pin(users.call(1, call)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(one.as_mut().poll(&mut context).is_pending());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = two.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }));
    assert!(panicked.is_err());
    assert_eq!(one.as_mut().poll(&mut context), Poll::Ready(Ok(1)));
    drop((one, two));
    assert_eq!(users.running(), 0);
}

#[tokio::test]
async fn many_threads_share_executions_and_lose_no_wake_up() {
    let users = Coalesce::<u32, u32, Failed>::new();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let users = users.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    for key in 0..500 {
                        let call = || async move {
                            for _ in 0..3 {
                                tokio::task::yield_now().await;
                            }
                            Ok(key)
                        };
                        assert_eq!(users.call(key % 3, call).await.map(|got| got % 3), Ok(key % 3));
                    }
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(users.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn they_stand_outside_a_policy() {
    let answers = Policy::builder()
        .retry(Retry::new(RetryConfig { max_attempts: Some(3), ..RetryConfig::default() }).unwrap())
        .build()
        .unwrap()
        .answers()
        .cached(cache(10))
        .or_else(|error| matches!(error, Error::Failed(_)).then_some(0));
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let call = move || {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(if number < 5 {
            Err(io::Error::from(io::ErrorKind::TimedOut))
        } else {
            Ok(number)
        })
    };
    assert_eq!(answers.call(1, call.clone()).await.unwrap(), 0, "three tries, and the fallback");
    assert_eq!(answers.call(1, call.clone()).await.unwrap(), 5, "a fallback is not kept");
    assert_eq!(answers.call(1, call).await.unwrap(), 5);
    assert_eq!(tries.load(Ordering::SeqCst), 6);
}

/// One that is kept and not polled, as in a buffer of futures, holds nobody up.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_polled_any_more_does_not_hold_up_the_others() {
    let coalesce = Coalesce::<u32, u64, ()>::new();
    let fetch = || async {
        for _ in 0..3 {
            sleep(ms(5)).await;
        }
        Ok(7)
    };
    let mut kept = Box::pin(coalesce.call(1, fetch));
    assert!(poll(kept.as_mut()).is_pending());
    let other = tokio::time::timeout(ms(1_000), coalesce.call(1, fetch));
    assert_eq!(other.await, Ok(Ok(7)));
    assert_eq!(kept.await, Ok(7));
}

/// As an execution does whose turn is used up, where the task has no scheduler that would put it off.
#[tokio::test]
async fn an_execution_that_wakes_itself_lets_others_have_their_turn() {
    let flag = Arc::new(AtomicBool::new(false));
    let waits = Arc::clone(&flag);
    let execution = move || {
        let flag = Arc::clone(&waits);
        poll_fn(move |cx| {
            if flag.load(Ordering::SeqCst) {
                return Poll::Ready(Ok::<u32, Failed>(1));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    };
    let coalesce = Coalesce::new();
    // The first is polled first: did it not come back, the second never would be.
    let (answer, ()) = tokio::join!(coalesce.call(1, execution), async {
        flag.store(true, Ordering::SeqCst);
    });
    assert_eq!(answer, Ok(1));
}
