//! Sets of checks against a naive model, and the block that other threads read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use seawall::Instant;
use seawall::health::{
    Expiry, HealthSet, JudgeConfig, JudgeOptions, Kind, Load, Reason, Run, SharedHealth,
    WatchConfig, WatchOptions,
};
use seawall::options::Rule;

fn at(ms: u64) -> Instant {
    Instant::ZERO.after(Duration::from_millis(ms))
}

#[test]
fn options_out_of_range_are_refused() {
    let refused = |options: WatchOptions| {
        let problem = options.into_config().unwrap_err();
        (problem.field, problem.rule)
    };
    let none = WatchOptions::default();
    for bad in [0.0, -1.0, f64::NAN] {
        assert_eq!(refused(WatchOptions { timeout_ms: Some(bad), ..none }).0, "timeoutMs");
        assert_eq!(refused(WatchOptions { interval_ms: Some(bad), ..none }).0, "intervalMs");
        assert_eq!(refused(WatchOptions { max_age_ms: Some(bad), ..none }).0, "maxAgeMs");
    }
    assert_eq!(refused(WatchOptions { failures: Some(0.0), ..none }).0, "failures");
    let short = WatchOptions { abandon_ms: Some(10.0), ..none };
    assert_eq!(refused(short), ("abandonMs", Rule::NotBelow));
    let judge = |readiness, liveness| {
        let options = JudgeOptions {
            readiness_block_ms: readiness,
            liveness_block_ms: liveness,
            readiness_level: None,
        };
        options.into_config().map_err(|problem| problem.field)
    };
    assert_eq!(judge(Some(0.0), None), Err("readinessBlockMs"));
    assert_eq!(judge(Some(500.0), Some(100.0)), Err("livenessBlockMs"));
    assert_eq!(judge(Some(90_000.0), None).unwrap().liveness_block_ms, 90_000.0);
}

#[test]
fn defaults_hang_on_the_kind_and_the_interval() {
    let config = |kind: Kind, interval_ms| {
        let options =
            WatchOptions { kind: Some(kind as u32), interval_ms, ..WatchOptions::default() };
        options.into_config().unwrap()
    };
    for kind in Kind::ALL {
        assert_eq!(config(kind, None), WatchConfig::new(kind));
    }
    let seconds = Duration::from_secs;
    assert_eq!(config(Kind::Readiness, Some(2000.0)).max_age, seconds(11));
    assert_eq!(config(Kind::Readiness, Some(f64::INFINITY)).max_age, seconds(10));
    assert!(config(Kind::Liveness, Some(2000.0)).max_age > seconds(1_000_000_000));
}

#[test]
fn a_block_speaks_against_readiness_first_and_against_liveness_late() {
    let mut set = HealthSet::new(at(0));
    let judge = JudgeConfig::default();
    let reason = |set: &HealthSet, kind, block_ms, level| {
        let verdict = set.verdict(kind, at(100_000));
        judge.judge(kind, verdict, Load { block_ms, level }, at(100_000)).reason
    };
    let none = f64::NAN;
    for (block, ready, live) in [
        (none, Reason::Passing, Reason::Passing),
        (999.9, Reason::Passing, Reason::Passing),
        (1_000.0, Reason::Blocked, Reason::Passing),
        (59_999.0, Reason::Blocked, Reason::Passing),
        (60_000.0, Reason::Blocked, Reason::Blocked),
    ] {
        assert_eq!(reason(&set, Kind::Readiness, block, none), ready, "{block}");
        assert_eq!(reason(&set, Kind::Liveness, block, none), live, "{block}");
        assert_eq!(reason(&set, Kind::Startup, block, none), Reason::Passing);
    }
    assert_eq!(reason(&set, Kind::Readiness, 0.0, 1e9), Reason::Passing, "off by default");
    let strict = JudgeConfig { readiness_level: 3.0, ..judge };
    let pressed = |kind, level| {
        let verdict = set.verdict(kind, at(9));
        strict.judge(kind, verdict, Load { block_ms: 0.0, level }, at(9)).reason
    };
    assert_eq!(pressed(Kind::Readiness, 2.0), Reason::Passing);
    assert_eq!(pressed(Kind::Readiness, 3.0), Reason::Pressure);
    assert_eq!(pressed(Kind::Liveness, 3.0), Reason::Passing);
    set.set_draining(true, at(50));
    assert_eq!(reason(&set, Kind::Readiness, 5_000.0, none), Reason::Draining, "it was said so");
}

#[test]
fn a_blocked_loop_comes_before_the_check_it_made_too_old() {
    let mut set = HealthSet::new(at(0));
    let id = set.add(WatchConfig::new(Kind::Readiness), at(0)).unwrap();
    let run = set.begin(id, at(0)).unwrap();
    set.settle(run, true, at(0));
    let verdict = set.verdict(Kind::Readiness, at(90_000));
    assert_eq!(verdict.reason, Reason::Stale);
    let load = Load { block_ms: 89_000.0, level: f64::NAN };
    let judged = JudgeConfig::default().judge(Kind::Readiness, verdict, load, at(90_000));
    assert_eq!((judged.reason, judged.since), (Reason::Blocked, at(1_000)));
}

#[test]
fn a_timer_that_is_much_too_late_gives_the_run_a_little_more_once() {
    let mut set = HealthSet::new(at(0));
    let id = set.add(WatchConfig::new(Kind::Readiness), at(0)).unwrap();
    let run = set.begin(id, at(0)).unwrap();
    assert_eq!(set.expire(run, at(5_101)), Expiry::Wait(Duration::from_millis(250)));
    assert_eq!(set.expire(run, at(9_000)), Expiry::Failed);
    assert_eq!(set.expire(run, at(9_001)), Expiry::Ignored);
    assert!(!set.settle(run, true, at(9_002)), "late");
    assert_eq!(set.verdict(Kind::Readiness, at(9_003)).reason, Reason::Failing);
}

#[test]
fn a_removed_check_is_forgotten_and_its_number_given_again() {
    let mut set = HealthSet::new(at(0));
    let id = set.add(WatchConfig::new(Kind::Readiness), at(0)).unwrap();
    let run = set.begin(id, at(0)).unwrap();
    set.remove(id, at(1));
    assert!(set.verdict(Kind::Readiness, at(1)).passing);
    assert!(!set.settle(run, false, at(2)));
    assert_eq!(set.add(WatchConfig::new(Kind::Startup), at(3)).unwrap(), id);
    assert!(!set.settle(run, true, at(4)), "a run of the one before");
}

#[test]
fn what_a_removed_check_still_answers_is_not_the_answer_of_who_has_its_number() {
    let mut set = HealthSet::new(at(0));
    let id = set.add(WatchConfig::new(Kind::Readiness), at(0)).unwrap();
    let old = set.begin(id, at(0)).unwrap();
    for round in 1..4 {
        set.remove(id, at(round));
        assert_eq!(set.add(WatchConfig::new(Kind::Readiness), at(round)), Ok(id));
        let new = set.begin(id, at(round)).unwrap();
        assert!(!set.settle(old, true, at(round)), "nobody asked it in round {round}");
        assert_eq!(set.expire(old, at(10_000)), Expiry::Ignored);
        assert!(!set.verdict(Kind::Readiness, at(round)).passing);
        assert!(set.settle(new, true, at(round)));
    }
    assert!(set.verdict(Kind::Readiness, at(4)).passing);
}

#[test]
fn asked_for_a_check_runs_when_its_interval_is_over() {
    let mut set = HealthSet::new(at(0));
    let id = set.add(WatchConfig::new(Kind::Readiness), at(0)).unwrap();
    let first = set.begin_due(id, at(0)).unwrap();
    assert!(set.settle(first, false, at(2)));
    assert_eq!(set.begin_due(id, at(9_999)), None, "the result is known");
    assert_eq!(set.refresh(id, at(10_000)), None, "and not too old");
    let second = set.begin_due(id, at(10_000)).unwrap();
    assert_eq!(set.begin_due(id, at(20_000)), None, "one at a time");
    assert!(set.settle(second, true, at(10_001)));
    let startup = set.add(WatchConfig::new(Kind::Startup), at(0)).unwrap();
    let run = set.begin_due(startup, at(0)).unwrap();
    assert!(set.settle(run, true, at(1)));
    assert_eq!(set.begin_due(startup, at(1_000_000)), None, "it has started");
    assert_eq!(set.begin_due(7, at(0)), None, "there is no such check");
}

#[test]
fn runs_are_numbers_and_back() {
    for run in [Run { check: 0, run: 1 }, Run { check: 2_000_000, run: u32::MAX }] {
        assert_eq!(Run::from_code(run.to_code()), run);
    }
}

#[test]
fn other_threads_read_whole_answers() {
    let health = Arc::new(SharedHealth::new(at(0)));
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (health, over) = (Arc::clone(&health), Arc::clone(&over));
            std::thread::spawn(move || {
                let mut seen = 0_u32;
                while !over.load(Ordering::Relaxed) {
                    let verdict = health.block().verdict(Kind::Readiness, at(0));
                    // Since when is written beside the reason: a mixture would not go together.
                    match verdict.reason {
                        Reason::Draining => assert_eq!(verdict.since.as_nanos() / 1_000_000 % 2, 1),
                        Reason::Passing => assert_eq!(verdict.since.as_nanos() / 1_000_000 % 2, 0),
                        other => panic!("{other:?}"),
                    }
                    seen = seen.saturating_add(1);
                }
                seen
            })
        })
        .collect();
    for ms in 1..40_000 {
        health.change(at(ms), |set| set.set_draining(ms % 2 == 1, at(ms)));
    }
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
}

#[derive(Debug, Clone)]
enum Op {
    Wait(u64),
    Begin,
    Take,
    Refresh,
    BeginDue,
    Expire(usize),
    Settle(usize, bool),
    Drain(bool),
    Fatal(bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0_u64..3_000).prop_map(Op::Wait),
        2 => Just(Op::Begin),
        2 => Just(Op::Take),
        1 => Just(Op::Refresh),
        1 => Just(Op::BeginDue),
        2 => (0_usize..3).prop_map(Op::Expire),
        4 => (0_usize..3, any::<bool>()).prop_map(|(which, passed)| Op::Settle(which, passed)),
        1 => any::<bool>().prop_map(Op::Drain),
        1 => any::<bool>().prop_map(Op::Fatal),
    ];
    prop::collection::vec(op, 1..150)
}

/// What a person would keep of one check: all results that counted, and the run under way.
#[derive(Default)]
struct Model {
    results: Vec<(u64, bool)>,
    flying: Option<(Run, u64, bool)>,
    drained: bool,
    fatal: bool,
}

impl Model {
    /// Plays all results again.
    fn passing(&self, config: &WatchConfig, kind: Kind) -> (bool, bool) {
        let mut passing = kind == Kind::Liveness;
        let mut against = 0;
        let mut done = false;
        let mut last: Option<u64> = None;
        for (time, passed) in &self.results {
            let stale = last.is_some_and(|last| at(*time) >= at(last).after(config.max_age));
            last = Some(*time);
            if *passed == passing {
                against = 0;
                continue;
            }
            against += 1;
            let needed = if *passed { config.successes } else { config.failures };
            if against >= needed || stale && !passed {
                (passing, against) = (*passed, 0);
                done |= passing && kind == Kind::Startup;
            }
        }
        (passing, done)
    }
}

proptest! {
    #[test]
    fn one_check_is_what_its_results_say(
        ops in ops(),
        kind in prop::sample::select(Kind::ALL.to_vec()),
        failures in 1_u32..4,
        successes in 1_u32..4,
        max_age in prop_oneof![Just(4_000_u64), Just(1_000_000)],
    ) {
        let config = WatchConfig {
            timeout: Duration::from_millis(1_000),
            interval: Duration::from_millis(700),
            max_age: Duration::from_millis(max_age),
            abandon: Duration::from_millis(9_000),
            failures,
            successes,
            ..WatchConfig::new(kind)
        };
        let shared = SharedHealth::new(at(0));
        let id = shared.change(at(0), |set| set.add(config, at(0))).unwrap();
        let mut model = Model::default();
        let mut runs: Vec<Run> = Vec::new();
        let mut now = 0_u64;
        for op in ops {
            let done = model.passing(&config, kind).1;
            let pick = |which: usize| runs.iter().rev().nth(which).copied();
            match op {
                Op::Wait(ms) => now += ms,
                Op::Begin | Op::Take | Op::Refresh | Op::BeginDue => {
                    let hung = matches!(model.flying, Some((_, _, true)));
                    // Two failures may come at one instant: then only their number tells.
                    let heard = || {
                        shared.read(|set| set.watch(id).map(|watch| (watch.heard(), watch.against())))
                    };
                    let before = heard();
                    let begun = shared.change(at(now), |set| match op {
                        Op::Begin => set.begin(id, at(now)),
                        Op::Take => set.take(at(now)),
                        Op::BeginDue => set.begin_due(id, at(now)),
                        _ => set.refresh(id, at(now)),
                    });
                    if let Some(run) = begun {
                        prop_assert!(!done, "what has started is not run again");
                        // One at a time, but for what has hung for long.
                        if let Some((_, began, hangs)) = model.flying {
                            prop_assert!(hangs && now - began >= 9_000);
                        }
                        prop_assert!(!runs.contains(&run));
                        runs.push(run);
                        model.flying = Some((run, now, false));
                    } else if hung && !done
                        && (before != heard() || matches!(op, Op::Begin))
                    {
                        // Still hanging is another failure.
                        model.results.push((now, false));
                    }
                }
                Op::Expire(which) => {
                    let Some(run) = pick(which) else { continue };
                    match shared.change(at(now), |set| set.expire(run, at(now))) {
                        Expiry::Failed => {
                            let Some((flying, _, hangs)) = &mut model.flying else {
                                return Err(TestCaseError::fail("nothing was under way"));
                            };
                            prop_assert!(*flying == run && !*hangs);
                            *hangs = true;
                            model.results.push((now, false));
                        }
                        Expiry::Wait(_) => {
                            let began = model.flying.map_or(u64::MAX, |flying| flying.1);
                            prop_assert!(now > began + 1_100);
                        }
                        Expiry::Ignored => prop_assert!(
                            model.flying.is_none_or(|(flying, _, hangs)| flying != run || hangs)
                        ),
                    }
                }
                Op::Settle(which, passed) => {
                    let Some(run) = pick(which) else { continue };
                    let counts = shared.change(at(now), |set| set.settle(run, passed, at(now)));
                    let flying = model.flying.filter(|flying| flying.0 == run);
                    prop_assert_eq!(counts, flying.is_some_and(|(_, _, hangs)| !hangs));
                    if flying.is_some() {
                        model.flying = None;
                    }
                    if counts {
                        model.results.push((now, passed));
                    }
                }
                Op::Drain(on) => {
                    shared.change(at(now), |set| set.set_draining(on, at(now)));
                    model.drained = on;
                }
                Op::Fatal(on) => {
                    shared.change(at(now), |set| set.set_unrecoverable(on, at(now)));
                    model.fatal = on;
                }
            }
            let (passing, done) = model.passing(&config, kind);
            let heard = model.results.last().map_or(0, |result| result.0);
            let fresh = done || now < heard + max_age;
            let well = passing && fresh;
            for asked in Kind::ALL {
                let expected = !model.fatal && match asked {
                    Kind::Startup => kind != Kind::Startup || done,
                    Kind::Readiness => !model.drained && well,
                    Kind::Liveness => kind != Kind::Liveness || well,
                };
                let verdict = shared.read(|set| set.verdict(asked, at(now)));
                prop_assert_eq!(verdict.passing, expected, "{:?} at {}", asked, now);
                let block = shared.block().verdict(asked, at(now));
                prop_assert_eq!(block.passing, expected, "the block, {:?} at {}", asked, now);
                prop_assert_eq!(block.reason == Reason::Passing, expected);
                prop_assert!(verdict.since <= at(now));
            }
        }
    }

    #[test]
    fn some_check_is_always_due_and_none_twice(
        intervals in prop::collection::vec(1_u64..5_000, 1..6),
        steps in prop::collection::vec(0_u64..4_000, 1..60),
    ) {
        let mut set = HealthSet::new(at(0));
        for interval in &intervals {
            let interval = Duration::from_millis(*interval);
            set.add(WatchConfig { interval, ..WatchConfig::new(Kind::Readiness) }, at(0)).unwrap();
        }
        let mut now = 0;
        for step in steps {
            now += step;
            let mut begun = Vec::new();
            while let Some(run) = set.take(at(now)) {
                prop_assert!(!begun.contains(&run.check));
                begun.push(run.check);
                set.settle(run, true, at(now));
            }
            let due = set.due();
            prop_assert!(due.is_some_and(|due| due > at(now)), "{:?} at {}", due, now);
        }
    }
}
