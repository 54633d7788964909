//! What runs when a waker, an answer or a future is dropped, or an event told of, is anybody's code: it
//! may ask for the very policy that is in the middle of something.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use seawall::cache::LifetimesConfig;
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::limit::rate::RateConfig;
use seawall::limit::throttle::ThrottleConfig;
use seawall::tokio::{Bulkhead, Cache, Coalesce, RateLimiter, Setup, Throttle};
use tracing::span;

use crate::{heard_by, ms, poll};

/// Runs on a thread of its own, which hangs alone where a lock is asked for twice.
fn ends(test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _inside = runtime.enter();
        test();
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(30)).expect("it panics or waits for itself");
}

/// Does something when it is gone.
struct Last(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Last {
    fn new(act: impl FnOnce() + Send + 'static) -> Self {
        Self(Mutex::new(Some(Box::new(act))))
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(act) = self.0.get_mut().unwrap().take() {
            act();
        }
    }
}

impl Wake for Last {
    fn wake(self: Arc<Self>) {}
}

/// Polls with a waker that nobody else has.
fn poll_by<F: Future + ?Sized>(waker: Last, future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::new(waker))))
}

/// A future of each kind that waits, given a way to ask the policy that it waits for.
fn wakers_of<F: Future + Send>(make: impl Fn() -> (Pin<Box<F>>, Last)) {
    let (mut moved, last) = make();
    assert!(poll_by(last, moved.as_mut()).is_pending());
    assert!(poll(moved.as_mut()).is_pending(), "another task has it now");
    let (mut dropped, last) = make();
    assert!(poll_by(last, dropped.as_mut()).is_pending());
    drop(dropped);
}

#[test]
fn a_waker_of_who_waits_for_a_place() {
    ends(|| {
        let bulkhead = Bulkhead::new(BulkheadConfig { max_queue: 9, ..BulkheadConfig::new(1) });
        let bulkhead = bulkhead.unwrap();
        let _place = bulkhead.try_acquire().unwrap();
        wakers_of(|| {
            let other = bulkhead.clone();
            let last = Last::new(move || assert_eq!(other.explain().running, 1));
            (Box::pin(bulkhead.acquire()), last)
        });
    });
}

#[test]
fn a_waker_of_who_waits_in_line() {
    ends(|| {
        let config = RateConfig { burst: 1, ..RateConfig::new(1, ms(3_600_000)) };
        let limiter = RateLimiter::new(config).unwrap();
        limiter.try_acquire().unwrap();
        // Behind another one, and as the first in line.
        for has_first in [true, false] {
            let mut first = Box::pin(limiter.acquire());
            assert!(!has_first || poll(first.as_mut()).is_pending());
            wakers_of(|| {
                let other = limiter.clone();
                let last = Last::new(move || assert!(other.explain().queued < 9));
                (Box::pin(limiter.acquire()), last)
            });
        }
    });
}

#[test]
fn who_is_moved_up_in_line() {
    struct Asks(RateLimiter, AtomicBool);

    impl Wake for Asks {
        fn wake(self: Arc<Self>) {
            assert!(self.0.explain().queued < 9);
            self.1.store(true, Ordering::Relaxed);
        }
    }

    ends(|| {
        let config = RateConfig { burst: 1, ..RateConfig::new(1, ms(3_600_000)) };
        let limiter = RateLimiter::new(config).unwrap();
        limiter.try_acquire().unwrap();
        let asks = Arc::new(Asks(limiter.clone(), AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&asks));
        let mut waits = Box::pin(limiter.acquire());
        let mut wait = || waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
        assert!(wait());
        limiter.update(RateConfig { limit: 3_600 * 20, ..config }).unwrap();
        assert!(asks.1.swap(false, Ordering::Relaxed), "the rate is another one");
        if wait() {
            std::thread::sleep(ms(60));
            let _granted = limiter.try_acquire();
            assert!(asks.1.load(Ordering::Relaxed), "its turn has come");
        }
        assert!(!wait());
    });
}

#[test]
fn a_waker_of_who_shares_an_execution() {
    ends(|| {
        let coalesce: &Coalesce<u8, (), ()> = Box::leak(Box::new(Coalesce::new()));
        wakers_of(|| {
            let mut other = Box::pin(coalesce.call(1, pending));
            assert!(poll(other.as_mut()).is_pending());
            (Box::pin(coalesce.call(1, pending)), Last::new(move || drop(other)))
        });
        assert_eq!(coalesce.running(), 0);
    });
}

#[test]
fn an_execution_that_came_too_late_to_be_shared() {
    ends(|| {
        let coalesce: &Coalesce<u8, (), ()> = Box::leak(Box::new(Coalesce::new()));
        let mut quicker = Vec::new();
        let call = || {
            let mut other = Box::pin(coalesce.call(1, pending));
            assert!(poll(other.as_mut()).is_pending());
            quicker.push(other);
            let last = Last::new(|| assert_eq!(coalesce.running(), 1));
            async move {
                let _last = last;
                pending().await
            }
        };
        assert!(poll(Box::pin(coalesce.call(1, call)).as_mut()).is_pending());
    });
}

#[test]
fn an_answer_that_is_kept_no_more() {
    #[derive(Clone)]
    struct Asks(#[allow(dead_code, reason = "it is there to be dropped")] Arc<Last>);

    ends(|| {
        let lifetimes = LifetimesConfig::new(Duration::from_secs(60));
        let cache: Cache<u8, Asks> = Cache::new(lifetimes, 2).unwrap();
        let asks = || {
            let other = cache.clone();
            Asks(Arc::new(Last::new(move || assert!(other.explain().entries <= 3))))
        };
        // Another one in its place, let go for others, forgotten.
        for key in [1, 1, 2, 3, 4, 5] {
            cache.insert(key, asks(), None);
        }
        assert!(cache.forget(&5));
        assert_eq!(cache.explain().evictions, 3);
        for key in 1..=5 {
            cache.forget(&key);
        }
    });
}

/// A key that asks when it is gone, and cannot always be cloned.
macro_rules! asking_key {
    ($ask:expr) => {
        static BREAKS: AtomicBool = AtomicBool::new(false);

        #[derive(PartialEq, Eq, Hash)]
        struct Key(u8);

        impl Clone for Key {
            fn clone(&self) -> Self {
                assert!(!BREAKS.load(Ordering::Relaxed), "as it should");
                Self(self.0)
            }
        }

        impl Drop for Key {
            fn drop(&mut self) {
                let _known = $ask;
            }
        }
    };
}

#[test]
fn a_key_of_an_execution_that_is_joined_no_more() {
    asking_key!(COALESCE.running());
    static COALESCE: LazyLock<Coalesce<Key, (), ()>> =
        LazyLock::new(|| Coalesce::bounded(9, ms(1)));

    ends(|| {
        let mut old = Box::pin(COALESCE.call(Key(1), pending));
        assert!(poll(old.as_mut()).is_pending());
        std::thread::sleep(ms(5));
        let mut new = Box::pin(COALESCE.call(Key(1), pending));
        assert!(poll(new.as_mut()).is_pending());
        assert_eq!(COALESCE.running(), 1);
        drop((old, new));
        assert_eq!(COALESCE.running(), 0);
        BREAKS.store(true, Ordering::Relaxed);
        let mut breaks = Box::pin(COALESCE.call(Key(1), pending));
        assert!(catch_unwind(AssertUnwindSafe(|| poll(breaks.as_mut()))).is_err());
        assert_eq!(COALESCE.running(), 0);
    });
}

#[test]
fn a_key_of_an_answer_that_is_fetched() {
    asking_key!(CACHE.explain());
    static CACHE: LazyLock<Cache<Key, u8>> = LazyLock::new(|| {
        let lifetimes = LifetimesConfig {
            stale_while_revalidate: Duration::from_secs(3_600),
            ..LifetimesConfig::new(ms(1))
        };
        Cache::new(lifetimes, 9).unwrap()
    });

    ends(|| {
        let fetch = || Box::pin(CACHE.call(Key(1), pending::<Result<u8, ()>>));
        let (mut one, mut two) = (fetch(), fetch());
        assert!(poll(one.as_mut()).is_pending() && poll(two.as_mut()).is_pending());
        drop((one, two));

        CACHE.insert(Key(1), 1, None);
        std::thread::sleep(ms(5));
        BREAKS.store(true, Ordering::Relaxed);
        assert!(catch_unwind(AssertUnwindSafe(|| poll(fetch().as_mut()))).is_err());
        BREAKS.store(false, Ordering::Relaxed);
        assert!(poll(fetch().as_mut()).is_pending(), "nobody else fetches it anew");
    });
}

#[test]
fn an_event_of_a_call_that_is_held_back() {
    #[derive(Clone)]
    struct Asks(Throttle);

    impl tracing::Subscriber for Asks {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            metadata.target() == "seawall"
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            assert!(self.0.explain().refused > 0);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    ends(|| {
        let throttle = Throttle::with(ThrottleConfig::default(), Setup::default().seed(1)).unwrap();
        let _guard = heard_by(Asks(throttle.clone()));
        for _ in 0..100 {
            let _ = poll(Box::pin(throttle.call(async { Err::<(), _>(()) })).as_mut());
        }
        assert!(throttle.explain().refused > 50);
    });
}
