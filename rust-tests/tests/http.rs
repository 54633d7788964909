//! HTTP through the public API: rules that hold for every request, and a model of the store behind
//! idempotency keys.

use std::time::Duration;

use proptest::prelude::*;
use seawall::Outcome;
use seawall::classify::{Processed, Verdict, classify, is_idempotent, status};
use seawall::http::{
    Found, Idempotency, IdempotencyOptions, Instances, Request, Step, judge, outcome,
};

const METHODS: [&str; 8] = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "PROPFIND", "BREW"];

fn verdicts() -> impl Strategy<Value = Option<Verdict>> {
    proptest::option::of((0u32..64).prop_map(|bits| Verdict::from_bits(bits, None)))
}

proptest! {
    #[test]
    fn nothing_unsafe_is_ever_repeated(
        method in proptest::sample::select(&METHODS[..]),
        code in 0u16..700,
        verdict in verdicts(),
        flags in 0u32..512,
    ) {
        let request = Request::from_flags(flags);
        let has = |flag: u32| flags & flag != 0;
        let (key, guarded, replayable, own) = (has(1), has(2), has(4), has(8));
        let (idempotent, only_once, patch, aborted) = (has(16), has(32), has(64), has(128));
        let judged = judge(method, code, verdict, request);
        let unsent = verdict.is_some_and(|verdict| verdict.processed == Processed::No)
            || (code == 503 && own);
        let twice_is_once = !only_once
            && (key || guarded || idempotent || is_idempotent(method) || (patch && method == "PATCH"));
        let transient = verdict.is_some_and(|verdict| verdict.transient);
        prop_assert_eq!(
            judged.repeat,
            !aborted && replayable && transient && (unsent || twice_is_once)
        );
        if aborted {
            prop_assert_eq!(judged.outcome, Outcome::Neutral);
        } else if code > 0 {
            prop_assert_eq!(judged.outcome, outcome(code));
        }
        prop_assert_eq!(judged.to_code() & 4 != 0, judged.repeat);
    }

    #[test]
    fn instances_are_a_permutation_with_the_untried_first(
        count in 1u32..9,
        calls in proptest::collection::vec(proptest::collection::vec(0u32..9, 0..9), 1..20),
    ) {
        let mut instances = Instances::new(count);
        for tried in calls {
            for index in &tried {
                instances.failed(*index);
            }
            let order = instances.order(&tried);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            let first_tried = order.iter().position(|index| tried.contains(index));
            if let Some(at) = first_tried {
                prop_assert!(order[at..].iter().all(|index| tried.contains(index)));
            }
        }
    }

    #[test]
    fn healthy_instances_share_evenly(count in 1u32..9, rounds in 1u32..9) {
        let mut instances = Instances::new(count);
        let mut asked = vec![0; count as usize];
        for _ in 0..count * rounds {
            asked[instances.order(&[])[0] as usize] += 1;
        }
        prop_assert!(asked.iter().all(|times| *times == rounds));
    }
}

#[test]
fn statuses_for_a_breaker() {
    for code in 0..=u16::MAX {
        let wanted = match code {
            408 | 421 | 425 | 429 => Outcome::Neutral,
            500..=599 if ![501, 505, 506, 508, 510, 511].contains(&code) => Outcome::Failure,
            _ => Outcome::Success,
        };
        assert_eq!(outcome(code), wanted, "{code}");
        // What a breaker holds against the other side is never what counts as a plain answer.
        let answered = status(code).is_some_and(|it| it.processed == Processed::Yes && code < 500);
        assert!(!(answered && wanted == Outcome::Failure), "{code}");
    }
}

#[test]
fn a_refused_stream_may_follow_a_post() {
    let facts = seawall::classify::Facts {
        code: "ERR_HTTP2_STREAM_ERROR",
        message: "Stream closed with error code NGHTTP2_REFUSED_STREAM",
        ..Default::default()
    };
    assert!(judge("POST", 0, classify(&facts), Request::REPLAYABLE).repeat);
}

/// One request of the model: who it is, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stand {
    Waiting { since: u64, looks: u32 },
    Processing { since: u64 },
    Ended,
}

/// What the store of the model holds: whose it is, of which body, since when, and whether it ended.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    owner: usize,
    body: u8,
    since: u64,
    done: Option<u16>,
}

#[derive(Debug, Clone)]
enum Op {
    Arrive(u8),
    Look(usize),
    Finish(usize, u16),
    Pass(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => (0u8..2).prop_map(Op::Arrive),
        4 => (0usize..12).prop_map(Op::Look),
        2 => ((0usize..12), prop_oneof![Just(200u16), Just(404), Just(500), Just(429)])
            .prop_map(|(who, status)| Op::Finish(who, status)),
        1 => (1u64..80).prop_map(Op::Pass),
    ];
    proptest::collection::vec(op, 1..120)
}

const LOCK: u64 = 100;
const TTL: u64 = 300;
const WAIT: u64 = 50;

proptest! {
    /// Any number of requests with one key, in any order: while a lock lasts one alone processes,
    /// what was kept is never processed again, and a failure always lets the next one in.
    #[test]
    fn one_key_is_processed_once(ops in ops()) {
        let rule = Idempotency::new(&IdempotencyOptions {
            ttl_ms: Some(TTL as f64),
            lock_ms: Some(LOCK as f64),
            wait_ms: Some(WAIT as f64),
            max_body_bytes: None,
            ..IdempotencyOptions::default()
        }).unwrap();
        let mut now = 0;
        let mut store: Option<Entry> = None;
        let mut requests: Vec<(u8, Stand)> = Vec::new();
        for op in ops {
            match op {
                Op::Pass(ms) => now += ms,
                Op::Arrive(body) => requests.push((body, Stand::Waiting { since: now, looks: 0 })),
                Op::Look(who) => {
                    let Some((body, Stand::Waiting { since, looks })) = requests.get(who).copied()
                    else { continue };
                    store = store.filter(|it| it.done.is_none() || now - it.since < TTL);
                    let found = match store {
                        None => Found::Nothing,
                        Some(it) => match it.done {
                            Some(_) => Found::Done { same: it.body == body, kept: true },
                            None => Found::Running {
                                same: it.body == body,
                                age: Duration::from_millis(now - it.since),
                            },
                        },
                    };
                    let waited = Duration::from_millis(now - since);
                    match rule.step(found, waited, looks) {
                        Step::Process | Step::TakeOver => {
                            let still = requests.iter().any(|(_, stand)| {
                                matches!(stand, Stand::Processing { since } if now - since < LOCK)
                            });
                            prop_assert!(!still, "two at a time");
                            prop_assert!(store.is_none_or(|it| it.done.is_none()), "done twice");
                            store = Some(Entry { owner: who, body, since: now, done: None });
                            requests[who].1 = Stand::Processing { since: now };
                        }
                        Step::Wait(wait) => {
                            prop_assert!(!wait.is_zero() && waited + wait <= Duration::from_millis(WAIT));
                            requests[who].1 = Stand::Waiting { since, looks: looks + 1 };
                        }
                        Step::Replay => {
                            prop_assert!(store.is_some_and(|it| it.body == body && it.done.is_some()));
                            requests[who].1 = Stand::Ended;
                        }
                        Step::Mismatch => {
                            prop_assert!(store.is_some_and(|it| it.body != body));
                            requests[who].1 = Stand::Ended;
                        }
                        Step::Conflict => {
                            prop_assert!(waited >= Duration::from_millis(WAIT));
                            prop_assert!(store.is_some_and(|it| it.done.is_none()));
                            requests[who].1 = Stand::Ended;
                        }
                        Step::Gone => prop_assert!(false, "every answer is kept here"),
                    }
                }
                Op::Finish(who, status) => {
                    let Some((_, stand @ Stand::Processing { .. })) = requests.get_mut(who)
                    else { continue };
                    *stand = Stand::Ended;
                    // Only if the lock is still its own, as compareAndSet makes sure.
                    if let Some(entry) = store.filter(|it| it.owner == who) {
                        store = seawall::http::is_kept_status(status)
                            .then_some(Entry { done: Some(status), since: now, ..entry });
                    }
                }
            }
        }
    }
}
