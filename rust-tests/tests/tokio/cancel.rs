//! Single policies cut at every place they wait.

use seawall::limit::adaptive::AdaptiveConfig;
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::limit::throttle::ThrottleConfig;
use seawall::tokio::{Adaptive, Bulkhead, Throttle};

use crate::{cut, ms, takes};

#[tokio::test(start_paused = true)]
async fn a_queued_call_of_a_bulkhead() {
    let config = BulkheadConfig { max_queue: 5, ..BulkheadConfig::new(1) };
    let bulkhead = Bulkhead::new(config).unwrap();
    for polls in 0..6 {
        let (cut, other) =
            tokio::join!(cut(polls, bulkhead.call(takes(10))), bulkhead.call(takes(10)));
        assert!(other.is_ok());
        assert_eq!((bulkhead.explain().running, bulkhead.explain().queued), (0, 0));
        if polls > 3 {
            assert!(cut.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_queued_call_of_an_adaptive_limiter() {
    let config = AdaptiveConfig { initial_limit: 1, ..AdaptiveConfig::default() };
    let limiter = Adaptive::new(config).unwrap().queueing(5, Some(ms(1_000))).unwrap();
    for polls in 0..6 {
        let (other, cut) =
            tokio::join!(limiter.call(takes(10)), cut(polls, limiter.call(takes(10))));
        assert!(other.is_ok());
        assert_eq!(limiter.explain().in_flight, 0);
        assert_eq!(limiter.try_acquire().map(drop), Ok(()));
        if polls > 3 {
            assert!(cut.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttle_does_not_count_who_was_cut() {
    let throttle = Throttle::new(ThrottleConfig::default()).unwrap();
    for _ in 0..100 {
        assert!(cut(1, throttle.call(takes(10))).await.is_none());
    }
    assert_eq!(throttle.explain().calls, 0);
}
