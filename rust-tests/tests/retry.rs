//! Retry decisions: each reason, their order, and what must hold for any failure.

use std::time::Duration;

use proptest::prelude::*;
use seawall::Rng;
use seawall::backoff::{Backoff, BackoffConfig};
use seawall::classify::{Processed, Verdict};
use seawall::retry::{Decision, Failure, Reason, Retry, RetryConfig, RetryOptions};

fn verdict(transient: bool, processed: Processed) -> Verdict {
    let bits = u32::from(transient) | ((processed as u32) << 2);
    Verdict::from_bits(bits, None)
}

fn exact(options: RetryOptions) -> Retry {
    RetryOptions { jitter_factor: Some(0.0), ..options }.build(None).unwrap()
}

fn decide(retry: &Retry, failure: Failure) -> Decision {
    retry.decide(&failure, &mut Rng::new(1))
}

#[test]
fn doubles_to_the_cap() {
    let retry = exact(RetryOptions {
        max_attempts: Some(9.0),
        delay_ms: Some(100.0),
        max_delay_ms: Some(500.0),
        ..RetryOptions::default()
    });
    let refused = Some(verdict(true, Processed::No));
    let waits: Vec<_> = (1..=5).map(|n| decide(&retry, Failure::new(n, refused))).collect();
    assert_eq!(
        waits,
        [100, 200, 400, 500, 500].map(|ms| Decision::After(Duration::from_millis(ms)))
    );
}

#[test]
fn each_reason_to_stop() {
    let retry = exact(RetryOptions {
        max_elapsed_ms: Some(5000.0),
        idempotent: Some(false),
        max_retry_after_ms: Some(2000.0),
        ..RetryOptions::default()
    });
    let refused = Failure::new(1, Some(verdict(true, Processed::No)));
    let stop = |failure| match decide(&retry, failure) {
        Decision::Stop(reason) => reason,
        Decision::After(wait) => panic!("waits {wait:?}"),
    };
    assert_eq!(decide(&retry, refused), Decision::After(Duration::from_secs(1)));
    assert_eq!(stop(Failure { attempt: 3, ..refused }), Reason::Attempts);
    assert_eq!(stop(Failure { attempt: u32::MAX, ..refused }), Reason::Attempts);
    let elapsed = Duration::from_millis(4001);
    assert_eq!(stop(Failure { elapsed, ..refused }), Reason::Elapsed);
    assert_eq!(
        decide(&retry, Failure { elapsed: Duration::from_millis(4000), ..refused }),
        Decision::After(Duration::from_secs(1)),
        "a wait that ends on the limit is begun"
    );
    assert_eq!(stop(Failure { wanted: Some(false), ..refused }), Reason::NotTransient);
    assert_eq!(stop(Failure::new(1, Some(verdict(false, Processed::No)))), Reason::NotTransient);
    assert_eq!(stop(Failure::new(1, None)), Reason::NotTransient);
    for processed in [Processed::Maybe, Processed::Yes] {
        assert_eq!(stop(Failure::new(1, Some(verdict(true, processed)))), Reason::Ambiguous);
    }
    assert_eq!(stop(Failure { verdict: None, wanted: Some(true), ..refused }), Reason::Ambiguous);
    let asks = |ms| Failure {
        verdict: Some(Verdict::from_bits(1, Some(Duration::from_millis(ms)))),
        ..refused
    };
    assert_eq!(stop(asks(2001)), Reason::RetryAfterTooLong);
    assert_eq!(decide(&retry, asks(2000)), Decision::After(Duration::from_secs(2)));
    assert_eq!(decide(&retry, asks(10)), Decision::After(Duration::from_secs(1)));
}

#[test]
fn refusals_end_a_call_or_are_waited_for() {
    let stops = exact(RetryOptions::default());
    let refused = Failure { refused: true, wanted: Some(false), ..Failure::new(1, None) };
    assert_eq!(decide(&stops, refused), Decision::Stop(Reason::Refused));
    let waits = exact(RetryOptions {
        wait_for_refusals: Some(true),
        idempotent: Some(false),
        ..RetryOptions::default()
    });
    assert_eq!(decide(&waits, refused), Decision::After(Duration::from_secs(1)));
    let told = |ms| Failure { delay: Some(Duration::from_millis(ms)), ..refused };
    assert_eq!(decide(&waits, told(10)), Decision::After(Duration::from_secs(1)), "the least wait");
    assert_eq!(decide(&waits, told(7_000)), Decision::After(Duration::from_secs(7)));
    assert_eq!(decide(&waits, told(30_001)), Decision::Stop(Reason::RetryAfterTooLong));
}

#[test]
fn a_wait_for_one_error_takes_the_place_of_the_schedules() {
    let retry = exact(RetryOptions::default());
    let transient = Some(verdict(true, Processed::No));
    let own = |ms| Failure { delay: Some(Duration::from_millis(ms)), ..Failure::new(1, transient) };
    assert_eq!(decide(&retry, own(0)), Decision::After(Duration::ZERO));
    assert_eq!(decide(&retry, own(60_000)), Decision::After(Duration::from_secs(60)));
    let asked = Some(Verdict::from_bits(1, Some(Duration::from_secs(3))));
    let both = Failure { verdict: asked, ..own(5) };
    assert_eq!(decide(&retry, both), Decision::After(Duration::from_secs(3)));
}

#[test]
fn a_try_that_would_begin_at_the_deadline_is_not_begun() {
    let retry = exact(RetryOptions::default());
    let left = |ms| Failure {
        remaining: Some(Duration::from_millis(ms)),
        ..Failure::new(1, Some(verdict(true, Processed::No)))
    };
    assert_eq!(decide(&retry, left(1_001)), Decision::After(Duration::from_secs(1)));
    for ms in [0, 999, 1_000] {
        assert_eq!(decide(&retry, left(ms)), Decision::Stop(Reason::Deadline));
    }
}

#[test]
fn a_schedule_that_ends_sets_the_number_of_tries() {
    let failure = |n| Failure::new(n, Some(verdict(true, Processed::No)));
    let request = RetryOptions::default().build(Some(Backoff::request_schedule())).unwrap();
    assert_eq!(decide(&request, failure(3)), Decision::After(Duration::from_millis(40)));
    assert_eq!(decide(&request, failure(4)), Decision::Stop(Reason::Attempts));
    let endless = Backoff::connection_schedule();
    let three = RetryOptions::default().build(Some(endless.clone())).unwrap();
    assert_eq!(decide(&three, failure(3)), Decision::Stop(Reason::Attempts));
    let options = RetryOptions { max_attempts: Some(f64::INFINITY), ..RetryOptions::default() };
    let forever = options.build(Some(endless.clone())).unwrap();
    assert_eq!(decide(&forever, failure(u32::MAX)), Decision::After(Duration::from_secs(5)));
}

#[test]
fn waits_are_described_once() {
    let backoff = Backoff::request_schedule();
    let options = RetryOptions { delay_ms: Some(1.0), ..RetryOptions::default() };
    assert_eq!(options.build(Some(backoff)).unwrap_err().field, "delayMs");
    let options = RetryOptions { max_attempts: Some(1.5), ..RetryOptions::default() };
    assert_eq!(options.build(None).unwrap_err().field, "maxAttempts");
    let options = RetryOptions { delay_ms: Some(60_000.0), ..RetryOptions::default() };
    assert!(options.build(None).is_ok(), "the cap follows a longer first wait");
}

proptest! {
    #[test]
    fn no_decision_breaks_a_limit(
        attempt in any::<u32>(),
        elapsed in any::<u32>(),
        bits in 0..64u32,
        asked in prop::option::of(0..100_000u64),
        wanted in any::<Option<bool>>(),
        known in any::<bool>(),
        idempotent in any::<bool>(),
        limit in 0..100_000u64,
        seed in any::<u64>(),
    ) {
        let mut config = RetryConfig::with(
            Backoff::new(BackoffConfig::exponential(Duration::from_millis(50))).unwrap(),
        );
        config.idempotent = idempotent;
        config.max_elapsed = Some(Duration::from_millis(limit));
        let retry = Retry::new(config).unwrap();
        let verdict = known.then(|| Verdict::from_bits(bits, asked.map(Duration::from_millis)));
        let elapsed = Duration::from_millis(u64::from(elapsed));
        let failure = Failure { elapsed, wanted, ..Failure::new(attempt, verdict) };
        if let Decision::After(wait) = retry.decide(&failure, &mut Rng::new(seed)) {
            prop_assert!(retry.over(attempt, elapsed).is_none());
            prop_assert!(attempt < 3);
            prop_assert!(elapsed + wait <= Duration::from_millis(limit));
            prop_assert!(wanted != Some(false));
            prop_assert!(wanted.is_some() || verdict.is_some_and(|verdict| verdict.transient));
            prop_assert!(idempotent || verdict.is_some_and(|v| v.processed == Processed::No));
            if let Some(asked) = verdict.and_then(|verdict| verdict.retry_after) {
                prop_assert!(wait >= asked && asked <= Duration::from_secs(30));
            }
        }
    }
}
