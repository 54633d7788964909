//! Bulkheads: traps by name, and random operations beside a naive list.

use std::time::Duration;

use proptest::prelude::*;
use seawall::limit::bulkhead::{
    Bulkhead, BulkheadConfig, BulkheadOptions, Entry, MOST_CONCURRENT, MOST_QUEUED, Next, Outlook,
    Refusal, Waiter,
};
use seawall::limit::priority::{Ask, Priorities, Priority};
use seawall::{Instant, Rng};

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

fn bulkhead(max_concurrent: u32, max_queue: u32, timeout: Option<u64>) -> Bulkhead {
    Bulkhead::new(config(max_concurrent, max_queue, timeout)).unwrap()
}

fn config(max_concurrent: u32, max_queue: u32, timeout: Option<u64>) -> BulkheadConfig {
    BulkheadConfig { max_concurrent, max_queue, queue_timeout: timeout.map(Duration::from_millis) }
}

fn queued(entry: Result<Entry, Refusal>) -> Waiter {
    match entry {
        Ok(Entry::Queued(waiter)) => waiter,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newcomer_never_overtakes() {
    let mut bulkhead = bulkhead(1, 2, None);
    assert_eq!(bulkhead.enter(at(0)), Ok(Entry::Admitted));
    let first = queued(bulkhead.enter(at(0)));
    bulkhead.leave();
    // The place is free and nobody has been asked yet: who comes now waits all the same.
    let second = queued(bulkhead.enter(at(0)));
    assert_eq!(bulkhead.may_run(), 0);
    assert_eq!(bulkhead.next(at(0)), Some(Next::Admitted(first)));
    assert_eq!(bulkhead.next(at(0)), None);
    bulkhead.leave();
    assert_eq!(bulkhead.next(at(0)), Some(Next::Admitted(second)));
    assert_eq!((bulkhead.may_run(), bulkhead.running()), (1, 1));
}

#[test]
fn a_cancelled_call_leaves_its_place_at_once() {
    let mut bulkhead = bulkhead(1, 2, None);
    assert_eq!(bulkhead.enter(at(0)), Ok(Entry::Admitted));
    let (first, second) = (queued(bulkhead.enter(at(0))), queued(bulkhead.enter(at(0))));
    assert_eq!(bulkhead.enter(at(0)), Err(Refusal::Full));
    assert!(bulkhead.cancel(first));
    assert!(!bulkhead.cancel(first));
    let third = queued(bulkhead.enter(at(0)));
    assert!(!bulkhead.cancel(first), "the slot is somebody else's now");
    assert_eq!((first.slot(), bulkhead.queued()), (third.slot(), 2));
    bulkhead.leave();
    assert_eq!(bulkhead.next(at(0)), Some(Next::Admitted(second)));
}

#[test]
fn who_has_waited_too_long_is_not_let_in_however_late_the_timer() {
    let mut bulkhead = bulkhead(1, 2, Some(100));
    assert_eq!(bulkhead.enter(at(0)), Ok(Entry::Admitted));
    let (first, second) = (queued(bulkhead.enter(at(0))), queued(bulkhead.enter(at(60))));
    assert_eq!((bulkhead.due(), bulkhead.next(at(99))), (Some(at(100)), None));
    bulkhead.leave();
    assert_eq!(bulkhead.peek(at(100)), Some(Next::Expired(first)));
    assert_eq!(bulkhead.next(at(100)), Some(Next::Expired(first)));
    assert_eq!(bulkhead.due(), Some(at(160)));
    assert_eq!(bulkhead.next(at(159)), Some(Next::Admitted(second)));
    assert_eq!(bulkhead.due(), None);
}

#[test]
fn a_clock_that_goes_back_does_not_break_the_order_of_deadlines() {
    let mut bulkhead = bulkhead(1, 2, Some(100));
    assert_eq!(bulkhead.enter(at(0)), Ok(Entry::Admitted));
    let first = queued(bulkhead.enter(at(500)));
    let second = queued(bulkhead.enter(at(10)));
    assert_eq!(bulkhead.next(at(599)), None);
    assert_eq!(bulkhead.next(at(600)), Some(Next::Expired(first)));
    assert_eq!(bulkhead.next(at(600)), Some(Next::Expired(second)));
}

#[test]
fn limits_change_under_way() {
    let mut bulkhead = bulkhead(1, 3, None);
    assert_eq!(bulkhead.enter(at(0)), Ok(Entry::Admitted));
    let waiters = [0; 3].map(|_| queued(bulkhead.enter(at(0))));
    bulkhead.update(config(3, 0, None)).unwrap();
    assert_eq!(bulkhead.next(at(0)), Some(Next::Admitted(waiters[0])));
    assert_eq!(bulkhead.next(at(0)), Some(Next::Admitted(waiters[1])));
    assert_eq!((bulkhead.next(at(0)), bulkhead.queued()), (None, 1));
    assert_eq!(bulkhead.enter(at(0)), Err(Refusal::Full));
    bulkhead.update(config(1, 0, Some(50))).unwrap();
    bulkhead.leave();
    bulkhead.leave();
    assert_eq!((bulkhead.next(at(49)), bulkhead.running()), (None, 1));
    assert_eq!(bulkhead.next(at(50)), Some(Next::Expired(waiters[2])), "the new time holds");
    let refused = bulkhead.update(config(0, 0, None)).unwrap_err();
    assert_eq!((refused.field, bulkhead.may_run()), ("maxConcurrent", 1));
}

#[test]
fn options_out_of_range_are_refused() {
    let problem = |options: BulkheadOptions| options.build().unwrap_err().field;
    let some = |max_concurrent| BulkheadOptions {
        max_concurrent: Some(max_concurrent),
        ..BulkheadOptions::default()
    };
    assert_eq!(problem(BulkheadOptions::default()), "maxConcurrent");
    for wrong in [0.0, -1.0, 1.5, f64::INFINITY, f64::NAN, f64::from(MOST_CONCURRENT) + 1.0] {
        assert_eq!(problem(some(wrong)), "maxConcurrent", "{wrong}");
    }
    for wrong in [-1.0, 0.5, f64::INFINITY, f64::from(MOST_QUEUED) + 1.0] {
        assert_eq!(problem(BulkheadOptions { max_queue: Some(wrong), ..some(1.0) }), "maxQueue");
    }
    for wrong in [-1.0, 0.0] {
        let options = BulkheadOptions { queue_timeout_ms: Some(wrong), ..some(1.0) };
        assert_eq!(problem(options), "queueTimeoutMs");
    }
    let infinite = BulkheadOptions { queue_timeout_ms: Some(f64::INFINITY), ..some(4.0) };
    assert_eq!(infinite.build(), Ok(BulkheadConfig::new(4)));
    let ranked = BulkheadOptions { priorities: Some(true), ..some(4.0) };
    assert_eq!(ranked.build().unwrap().max_queue, 12);
    let ranked = BulkheadOptions { max_queue: Some(5.0), ..ranked };
    assert_eq!(ranked.build().unwrap().max_queue, 5);
    let most = BulkheadOptions { priorities: Some(true), ..some(f64::from(MOST_CONCURRENT)) };
    assert_eq!(most.build().unwrap().max_queue, MOST_QUEUED);
}

#[test]
fn who_begins_by_itself_is_counted_when_it_asks() {
    let mut bulkhead = bulkhead(3, 1, None);
    assert_eq!(bulkhead.may_run(), 3);
    bulkhead.set_running(2);
    assert_eq!(bulkhead.enter(at(0)), Ok(Entry::Admitted));
    queued(bulkhead.enter(at(0)));
    assert_eq!((bulkhead.may_run(), bulkhead.enter(at(0))), (0, Err(Refusal::Full)));
    bulkhead.set_running(0);
    assert_eq!(bulkhead.explain(at(0)).outlook, Outlook::Refuse, "one still waits");
}

#[test]
fn the_important_are_queued_when_the_queue_fills() {
    let mut bulkhead = bulkhead(10, 30, None);
    let mut priorities = Priorities::new(Rng::new(1));
    let (low, high) = (Ask::class(Priority::VeryLow), Ask::class(Priority::VeryHigh));
    let mut enter = |ask| bulkhead.enter_ranked(at(0), &mut priorities, ask);
    for _ in 0..10 {
        assert_eq!(enter(&low), Ok(Entry::Admitted), "there is room");
    }
    for i in 0..20 {
        assert!(enter(if i % 2 == 0 { &low } else { &high }).is_ok(), "up to two thirds");
    }
    queued(enter(&high));
    for _ in 0..4 {
        queued(enter(&high));
    }
    assert!(matches!(enter(&low), Err(Refusal::Priority(verdict)) if !verdict.admitted));
    let mut shed = 0;
    while bulkhead.queued() < 30 {
        shed += u32::from(bulkhead.enter_ranked(at(0), &mut priorities, &high).is_err());
        assert!(shed < 1_000);
    }
    assert_eq!(bulkhead.enter_ranked(at(0), &mut priorities, &high), Err(Refusal::Full));
    let totals = bulkhead.explain(at(0)).totals;
    assert_eq!((totals.full, totals.shed, totals.queued), (1, u64::from(shed) + 1, 30));
}

/// Calls in a plain list, each operation as it is described and nothing more.
#[derive(Default)]
struct Model {
    running: u32,
    waiting: Vec<(Waiter, u64)>,
    latest: u64,
}

impl Model {
    fn next(&mut self, config: &BulkheadConfig, now: u64) -> Option<Next> {
        let (waiter, since) = *self.waiting.first()?;
        let timeout = config.queue_timeout.map(|timeout| timeout.as_millis() as u64);
        if timeout.is_some_and(|timeout| now.max(self.latest) >= since + timeout) {
            self.waiting.remove(0);
            return Some(Next::Expired(waiter));
        }
        if self.running >= config.max_concurrent {
            return None;
        }
        self.waiting.remove(0);
        self.running += 1;
        Some(Next::Admitted(waiter))
    }
}

#[derive(Debug, Clone)]
enum Op {
    Enter,
    Leave,
    Drain,
    Cancel(prop::sample::Index),
    Stale(prop::sample::Index),
    Pass(u64),
    Back(u64),
    Update(u32, u32, Option<u64>),
    Alone(u32),
}

fn op() -> impl Strategy<Value = Op> {
    let timeout = prop::option::of(1..40u64);
    prop_oneof![
        8 => Just(Op::Enter),
        5 => Just(Op::Leave),
        4 => Just(Op::Drain),
        3 => any::<prop::sample::Index>().prop_map(Op::Cancel),
        1 => any::<prop::sample::Index>().prop_map(Op::Stale),
        4 => (1..20u64).prop_map(Op::Pass),
        1 => (1..20u64).prop_map(Op::Back),
        1 => (1..6u32, 0..12u32, timeout).prop_map(|(max, queue, t)| Op::Update(max, queue, t)),
        1 => (0..6u32).prop_map(Op::Alone),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_list(
        limits in (1..6u32, 0..12u32, prop::option::of(1..40u64)),
        ops in prop::collection::vec(op(), 1..400),
    ) {
        let mut config = config(limits.0, limits.1, limits.2);
        let mut bulkhead = Bulkhead::new(config).unwrap();
        let mut model = Model::default();
        let mut now = 1_000;
        let mut gone: Vec<Waiter> = Vec::new();
        for op in ops {
            match op {
                Op::Enter => {
                    let entry = bulkhead.enter(at(now));
                    if model.waiting.is_empty() && model.running < config.max_concurrent {
                        model.running += 1;
                        prop_assert_eq!(entry, Ok(Entry::Admitted));
                    } else if model.waiting.len() < config.max_queue as usize {
                        model.latest = model.latest.max(now);
                        let Ok(Entry::Queued(waiter)) = entry else { panic!("{entry:?}") };
                        let slots = model.waiting.iter().map(|(other, _)| other.slot());
                        prop_assert!(!slots.into_iter().any(|slot| slot == waiter.slot()));
                        prop_assert!((waiter.slot() as usize) < 12);
                        model.waiting.push((waiter, model.latest));
                    } else {
                        prop_assert_eq!(entry, Err(Refusal::Full));
                    }
                }
                Op::Leave => {
                    bulkhead.leave();
                    model.running = model.running.saturating_sub(1);
                }
                Op::Drain => loop {
                    let next = model.next(&config, now);
                    prop_assert_eq!(bulkhead.peek(at(now)), next);
                    prop_assert_eq!(bulkhead.next(at(now)), next);
                    match next {
                        Some(Next::Admitted(waiter) | Next::Expired(waiter)) => gone.push(waiter),
                        None => break,
                    }
                },
                Op::Cancel(index) if !model.waiting.is_empty() => {
                    let (waiter, _) = model.waiting.remove(index.index(model.waiting.len()));
                    prop_assert!(bulkhead.cancel(waiter));
                    gone.push(waiter);
                }
                Op::Stale(index) if !gone.is_empty() => {
                    prop_assert!(!bulkhead.cancel(gone[index.index(gone.len())]));
                }
                Op::Cancel(_) | Op::Stale(_) => {}
                Op::Pass(ms) => now += ms,
                Op::Back(ms) => now -= ms,
                Op::Update(max, queue, timeout) => {
                    config = self::config(max, queue, timeout);
                    bulkhead.update(config).unwrap();
                }
                Op::Alone(running) => {
                    bulkhead.set_running(running);
                    model.running = running;
                }
            }
            let explained = bulkhead.explain(at(now));
            prop_assert_eq!(explained.queued as usize, model.waiting.len());
            prop_assert_eq!(explained.running, model.running);
            let alone = model.waiting.is_empty();
            prop_assert_eq!(bulkhead.may_run(), if alone { config.max_concurrent } else { 0 });
            let first = model.waiting.first().map(|(_, since)| *since);
            let due = first.zip(config.queue_timeout).map(|(since, timeout)| at(since).after(timeout));
            prop_assert_eq!(bulkhead.due(), due);
            let oldest = first.map(|since| Duration::from_millis(now.max(model.latest) - since));
            prop_assert_eq!(explained.oldest_wait, oldest);
            let totals = explained.totals;
            let left = totals.admitted + totals.expired + totals.cancelled;
            prop_assert_eq!(totals.queued, left + model.waiting.len() as u64);
        }
    }
}

/// A hundred times the queue must not make the single operation slower. Counted in operations per
/// time with a wide margin: a queue that shifts or searches would be a hundred times slower.
#[test]
fn a_long_queue_costs_no_more_per_call() {
    let per_call = |waiting: u32| {
        let mut bulkhead = bulkhead(1, MOST_QUEUED, Some(1_000_000));
        assert_eq!(bulkhead.enter(at(0)), Ok(Entry::Admitted));
        let waiters: Vec<_> = (0..waiting).map(|_| queued(bulkhead.enter(at(0)))).collect();
        let mut rng = Rng::new(1);
        #[allow(clippy::disallowed_methods, reason = "a test of speed needs a clock")]
        let start = std::time::Instant::now();
        let rounds = 20_000u32;
        let mut held = waiters;
        for i in 0..rounds {
            if i % 2 == 0 {
                let index = (rng.unit() * held.len() as f64) as usize;
                assert!(bulkhead.cancel(held[index]));
                held[index] = queued(bulkhead.enter(at(0)));
            } else {
                assert_eq!(bulkhead.next(at(0)), None);
            }
        }
        start.elapsed().as_secs_f64() / f64::from(rounds)
    };
    let best = |waiting| (0..5).map(|_| per_call(waiting)).fold(f64::INFINITY, f64::min);
    let (short, long) = (best(1_000), best(100_000));
    assert!(long < short * 20.0 + 1e-6, "{short} s, {long} s");
}
