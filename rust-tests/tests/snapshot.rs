//! A breaker restored from a snapshot, in another process and on another clock, has the future of
//! the original.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;
use seawall::breaker::{
    BreakerConfig, HalfOpen, Machine, OpenFor, RateRule, RawPermit, Reason, Reclose,
    SNAPSHOT_VERSION, Settled, Snapshot, State, TripRule, Window,
};
use seawall::{Instant, Outcome};
use seawall_tests::breaker_world::{Op, any_config, any_trip, forward_op};
use seawall_tests::cases;

fn through_json(snapshot: &Snapshot) -> Snapshot {
    serde_json::from_str(&serde_json::to_string(snapshot).expect("plain data")).expect("readable")
}

/// One machine on its own clock.
struct Life {
    machine: Machine,
    calls: Vec<RawPermit>,
    now: u64,
}

impl Life {
    /// What came of it, in words that know nothing of the clock or the generation.
    fn apply(&mut self, op: Op, may_be_slow: bool) -> String {
        let now = Instant::from_nanos(self.now);
        let mut answer = String::new();
        match op {
            Op::Forward(by) => self.now += by,
            Op::Run(calls, outcome) => {
                for _ in 0..calls {
                    let under_way = self.calls.len();
                    answer += &self.apply(Op::Acquire, may_be_slow);
                    if self.calls.len() > under_way {
                        let settle = Op::Settle(under_way, outcome, false, None);
                        answer += &self.apply(settle, may_be_slow);
                    }
                }
            }
            Op::Acquire => match self.machine.acquire(now) {
                Ok(permit) => {
                    answer = format!("admitted, probe: {}", permit.is_probe());
                    self.calls.push(permit);
                }
                Err(refused) => {
                    answer = format!("{:?} for {:?}", refused.reason, refused.retry_after);
                }
            },
            Op::Settle(which, outcome, slow, open_for) if !self.calls.is_empty() => {
                let permit = self.calls.remove(which % self.calls.len());
                let slow = slow && may_be_slow;
                self.machine.record(permit, Settled { slow, open_for, ..outcome.into() }, now);
            }
            Op::Hang(which) if !self.calls.is_empty() => {
                self.calls.remove(which % self.calls.len());
            }
            Op::Reset => self.machine.reset(now),
            Op::ForceOpen => self.machine.force_open(now, 0.0),
            Op::Check => self.machine.check(now),
            Op::Look => {
                let seen = self.machine.explain(now);
                // A window decides nothing while the breaker is not closed, and may have aged out.
                let is_closed = seen.state == State::Closed;
                answer = format!(
                    "since {:?}, {:?}, {} openings for {:?}, last failure {:?}",
                    seen.since,
                    is_closed.then_some(seen.counts),
                    seen.openings,
                    seen.open_for,
                    seen.last_failure
                );
            }
            _ => {}
        }
        let left = self.machine.poll_timeout().map(|at| at.since(Instant::from_nanos(self.now)));
        let state = self.machine.state();
        let failures = (state == State::Closed).then(|| self.machine.failures());
        format!("{op:?}: {answer}; {state:?}, {failures:?} failures, {left:?}")
    }
}

fn life() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(forward_op(), 1..80)
}

proptest! {
    #![proptest_config(Config { cases: cases(1500), failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_restored_breaker_has_the_future_of_the_original(
        config in any_config(any_trip()),
        seed in any::<u64>(),
        starts in (0..20_000_000_000u64, prop_oneof![Just(0u64), 0..100_000_000u64, 0..1u64 << 60]),
        before in life(),
        after in life(),
    ) {
        // The steps of a re-close begin their results anew, see below.
        let config = BreakerConfig { reclose: None, ..config };
        let may_be_slow = config.slow_limit().is_some();
        let machine = Machine::new(config.clone(), seed).expect("valid options");
        let mut original = Life { machine, calls: Vec::new(), now: starts.0 };
        for op in before {
            original.apply(op, may_be_slow);
        }
        original.calls.clear();
        if original.machine.state() == State::HalfOpen {
            return Ok(());
        }
        let snapshot = through_json(&original.machine.snapshot(Instant::from_nanos(original.now)));
        let machine = Machine::new(config, seed).expect("valid options");
        let mut restored = Life { machine, calls: Vec::new(), now: starts.1 };
        restored.machine.restore(&snapshot, Instant::from_nanos(starts.1)).expect("readable");
        for op in [Op::Look].into_iter().chain(after).chain([Op::Look]) {
            let want = original.apply(op, may_be_slow);
            prop_assert_eq!(restored.apply(op, may_be_slow), want);
        }
    }

    #[test]
    fn no_snapshot_makes_a_breaker_panic_or_stick(
        config in any_config(any_trip()),
        state in prop::sample::select(&[0u32, 1, 3][..]),
        numbers in prop::collection::vec(prop_oneof![
            Just(-1.0), Just(0.0), Just(f64::MAX), Just(f64::INFINITY), Just(f64::NAN), 0.0..1e9
        ], 5),
        step in 0u32..5,
        rule in 0u32..5,
        memory in prop::collection::vec(prop_oneof![
            Just(-1.0), Just(0.0), Just(1.0), Just(f64::MAX), Just(f64::NAN), 0.0..1e9
        ], 0..40),
        now in 0..1u64 << 62,
    ) {
        let mut machine = Machine::new(config, 0).expect("valid options");
        let snapshot = Snapshot {
            version: SNAPSHOT_VERSION,
            state,
            since_ms: numbers[0],
            left_ms: numbers[1].min(1e9),
            open_for_ms: numbers[2].min(1e9),
            openings: step,
            step,
            last_failure_ms: numbers[3],
            last_failure_wall_ms: numbers[4],
            rule,
            memory,
        };
        machine.restore(&snapshot, Instant::from_nanos(now)).expect("readable");
        let _ = machine.explain(Instant::from_nanos(now));
        let later = Instant::from_nanos(now + 2_000_000_000_000_000);
        prop_assert!(machine.acquire(later).is_ok() || machine.state() == State::Recovering);
    }
}

fn failures_within(seconds: u64) -> BreakerConfig {
    BreakerConfig {
        trip: TripRule::Failures { failures: 3, within: Duration::from_secs(seconds) },
        ..BreakerConfig::default()
    }
}

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

fn fail(machine: &mut Machine, now: Instant) {
    let permit = machine.acquire(now).expect("closed");
    machine.record(permit, Outcome::Failure.into(), now);
}

#[test]
fn a_clock_that_has_just_begun_has_room_for_what_happened_before() {
    let mut old = Machine::new(failures_within(10), 0).unwrap();
    fail(&mut old, at(100_000));
    fail(&mut old, at(100_001));
    let snapshot = through_json(&old.snapshot(at(109_000)));

    // 9 s old at the restore, out of their time 2 s later.
    let mut new = Machine::new(failures_within(10), 0).unwrap();
    new.restore(&snapshot, at(5)).unwrap();
    assert_eq!(new.failures(), 2);
    fail(&mut new, at(2005));
    assert_eq!((new.state(), new.failures()), (State::Closed, 1));

    let mut new = Machine::new(failures_within(10), 0).unwrap();
    new.restore(&snapshot, at(5)).unwrap();
    fail(&mut new, at(905));
    assert_eq!(new.state(), State::Open);
}

#[test]
fn slices_go_on_where_they_were() {
    let trip = TripRule::Rate(RateRule {
        window: Window::Time { span: Duration::from_secs(10), slices: 10 },
        minimum_calls: 100,
        failure_rate: Some(0.5),
        slow: None,
    });
    let config = BreakerConfig { trip, ..BreakerConfig::default() };
    let mut old = Machine::new(config.clone(), 0).unwrap();
    fail(&mut old, at(20_000));
    let snapshot = old.snapshot(at(20_900));

    let mut new = Machine::new(config, 0).unwrap();
    new.restore(&snapshot, at(33)).unwrap();
    // The slice that began at 20 s leaves at 30 s, 9.1 s after the snapshot.
    assert_eq!(new.explain(at(33 + 9_099)).counts.failures, 1);
    assert_eq!(new.explain(at(33 + 9_100)).counts.failures, 0);
}

#[test]
fn a_trial_is_restored_as_an_opening_that_is_over() {
    let config = BreakerConfig {
        trip: TripRule::Consecutive(1),
        open_for: OpenFor::Fixed(Duration::from_millis(100)),
        ..BreakerConfig::default()
    };
    let mut old = Machine::new(config.clone(), 0).unwrap();
    fail(&mut old, at(0));
    assert!(old.acquire(at(101)).unwrap().is_probe());
    assert_eq!(old.state(), State::HalfOpen);

    let mut new = Machine::new(config, 0).unwrap();
    new.restore(&old.snapshot(at(110)), at(7)).unwrap();
    assert_eq!(new.state(), State::Open);
    assert!(new.acquire(at(7)).unwrap().is_probe());
    assert_eq!(new.acquire(at(7)).unwrap_err().retry_after, Some(Duration::from_millis(100)));
}

#[test]
fn a_step_keeps_its_time_and_begins_its_results_anew() {
    let config = BreakerConfig {
        half_open: HalfOpen { permits: 1, success_rate: 0.5, lease: None },
        reclose: Some(Reclose {
            shares: [0.25, 0.5].into(),
            calls: 2,
            step: Duration::from_millis(100),
        }),
        ..failures_within(1)
    };
    let mut old = Machine::new(config.clone(), 0).unwrap();
    old.force_open(at(0), 0.0);
    let probe = old.acquire(at(60_001)).unwrap();
    old.record(probe, Outcome::Success.into(), at(60_001));
    assert_eq!(old.state(), State::Recovering);

    let mut new = Machine::new(config, 0).unwrap();
    new.restore(&through_json(&old.snapshot(at(60_061))), at(0)).unwrap();
    assert_eq!(new.state(), State::Recovering);
    assert_eq!(new.explain(at(39)).step, Some((0, 0.25)));
    assert_eq!(new.acquire(at(39)).map_err(|refused| refused.reason), Err(Reason::Recovering));
    assert_eq!(new.explain(at(39)).step, Some((0, 0.25)));
    let _ = new.acquire(at(40));
    assert_eq!(new.explain(at(40)).step, Some((1, 0.5)));
}

#[test]
fn what_this_version_cannot_read_changes_nothing() {
    let mut machine = Machine::new(failures_within(10), 0).unwrap();
    fail(&mut machine, at(0));
    let snapshot = machine.snapshot(at(0));
    let before = machine.explain(at(0));
    for (unreadable, field) in [
        (Snapshot { version: SNAPSHOT_VERSION + 1, ..snapshot.clone() }, "snapshot.version"),
        (Snapshot { version: 0, ..snapshot.clone() }, "snapshot.version"),
        (Snapshot { state: 2, ..snapshot.clone() }, "snapshot.state"),
        (Snapshot { state: 4, ..snapshot.clone() }, "snapshot.state"),
    ] {
        assert_eq!(machine.restore(&unreadable, at(0)).unwrap_err().field, field);
        assert_eq!(machine.explain(at(0)), before);
    }
}

#[test]
fn the_json_of_version_1_stays_as_it_is() {
    let mut machine = Machine::new(failures_within(10), 0).unwrap();
    fail(&mut machine, at(1000));
    fail(&mut machine, at(2000));
    let json = serde_json::to_value(machine.snapshot(at(2500))).unwrap();
    let want = serde_json::json!({
        "version": 1, "state": 0, "sinceMs": 2500.0, "leftMs": 0.0, "openForMs": 0.0,
        "openings": 0, "step": 0, "lastFailureMs": 500.0, "lastFailureWallMs": 0.0,
        "rule": 1, "memory": [1500.0, 500.0],
    });
    assert_eq!(json, want);
}

#[test]
fn the_memory_of_another_rule_is_left_out() {
    let mut old = Machine::new(BreakerConfig::default(), 0).unwrap();
    fail(&mut old, at(0));
    let snapshot = old.snapshot(at(0));
    let mut new = Machine::new(failures_within(10), 0).unwrap();
    new.restore(&snapshot, at(0)).unwrap();
    assert_eq!((new.state(), new.failures()), (State::Closed, 0));
}
