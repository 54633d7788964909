//! Limits, through any life.

use std::collections::VecDeque;
use std::time::Duration;

use seawall::Instant;
use seawall::limit::bulkhead::{Bulkhead, BulkheadConfig, Entry, Next, Waiter};
use seawall::limit::rate::{Decision, RateConfig, RateLimiter};

use super::bytes::Bytes;

/// A bulkhead against a list of those who wait.
pub fn bulkhead(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut config = limits(&mut bytes);
    let Ok(mut bulkhead) = Bulkhead::new(config) else { return };
    let (mut running, mut waiting) = (0_u32, VecDeque::<(Waiter, Instant)>::new());
    let mut now = Instant::ZERO;
    while !bytes.is_empty() {
        match bytes.below(5) {
            0 => match bulkhead.enter(now) {
                Ok(Entry::Admitted) => {
                    assert!(waiting.is_empty() && running < config.max_concurrent);
                    running += 1;
                }
                Ok(Entry::Queued(waiter)) => {
                    assert!(waiting.len() < config.max_queue as usize);
                    waiting.push_back((waiter, now));
                }
                Err(_) => assert!(waiting.len() >= config.max_queue as usize),
            },
            1 if running > 0 => {
                bulkhead.leave();
                running -= 1;
            }
            2 if !waiting.is_empty() => {
                let place = bytes.below(u32::try_from(waiting.len()).expect("few")) as usize;
                let (waiter, _) = waiting.remove(place).expect("it is there");
                assert!(bulkhead.cancel(waiter));
                assert!(!bulkhead.cancel(waiter), "nobody leaves twice");
            }
            3 => now = now.after(bytes.millis()),
            _ => {
                let other = limits(&mut bytes);
                if bulkhead.update(other).is_ok() {
                    config = other;
                }
            }
        }
        while let Some(next) = bulkhead.next(now) {
            let (waiter, since) = waiting.pop_front().expect("somebody waits");
            let is_late = config.queue_timeout.is_some_and(|most| now.since(since) >= most);
            assert_eq!(next, if is_late { Next::Expired(waiter) } else { Next::Admitted(waiter) });
            running += u32::from(!is_late);
        }
        assert_eq!((bulkhead.running(), bulkhead.queued() as usize), (running, waiting.len()));
        assert!(waiting.is_empty() || running >= config.max_concurrent, "a place is left empty");
    }
}

fn limits(bytes: &mut Bytes<'_>) -> BulkheadConfig {
    let queue_timeout = Some(bytes.millis()).filter(|_| bytes.bool());
    let max_queue = bytes.below(6);
    BulkheadConfig { max_queue, queue_timeout, ..BulkheadConfig::new(bytes.below(4)) }
}

/// A rate limiter never lets through more than its burst and what has come since.
pub fn rate(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let (permits, per) = (bytes.below(20), bytes.millis());
    let config = RateConfig { burst: bytes.below(9), ..RateConfig::new(permits, per) };
    let Ok(mut limiter) = RateLimiter::new(config) else { return };
    let (mut now, mut granted) = (Instant::ZERO, 0_u64);
    while !bytes.is_empty() {
        if bytes.bool() {
            now = now.after(bytes.millis());
        }
        let weight = bytes.below(4);
        if let Decision::Granted = limiter.acquire(weight, Duration::ZERO, now) {
            granted += u64::from(weight);
        }
        let come = now.as_nanos() as f64 * f64::from(permits) / per.as_nanos() as f64;
        let most = f64::from(config.burst.max(1)) + come;
        assert!(granted as f64 <= most + 1e-6 * most, "{granted} of {most}");
    }
}
