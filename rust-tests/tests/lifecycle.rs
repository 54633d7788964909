//! Shutdown: the order of the phases, the deadline, repeated signals, the budget.

use std::time::Duration;

use proptest::prelude::*;
use seawall::Instant;
use seawall::lifecycle::{
    Cause, Event, Lifecycle, LifecycleConfig, LifecycleOptions, Phase, Repeat,
};

const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

fn at(ms: f64) -> Instant {
    Instant::from_millis(ms)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn options(options: LifecycleOptions) -> Lifecycle {
    options.build().unwrap()
}

#[test]
fn the_defaults_of_a_cluster_and_of_a_laptop() {
    let mut pod = options(LifecycleOptions { in_cluster: Some(true), ..Default::default() });
    assert_eq!(pod.signal(at(0.0), SIGTERM), Repeat::First);
    assert_eq!(pod.ready_until(), Some(at(5_000.0)));
    assert_eq!(pod.drain_until(), Some(at(23_000.0)), "5 s are kept for the hooks");
    assert_eq!(pod.deadline(), Some(at(28_000.0)));

    let mut laptop = options(LifecycleOptions::default());
    laptop.signal(at(10.0), SIGINT);
    assert_eq!(laptop.ready_until(), Some(at(10.0)));
    assert_eq!(laptop.advance(at(10.0), Event::Time), Phase::Draining);
}

#[test]
fn the_environment_names_the_grace_period_unless_an_option_does() {
    let grace = |grace_ms, env_grace_seconds| {
        let all = LifecycleOptions { grace_ms, env_grace_seconds, ..Default::default() };
        options(all).config().grace
    };
    assert_eq!(grace(None, Some(60.0)), ms(60_000));
    assert_eq!(grace(Some(10_000.0), Some(60.0)), ms(10_000));
    for odd in [f64::NAN, -1.0, 0.0] {
        assert_eq!(grace(None, Some(odd)), ms(30_000), "{odd}");
    }
}

#[test]
fn what_a_pre_stop_hook_has_waited_counts() {
    let mut pod = options(LifecycleOptions {
        in_cluster: Some(true),
        pre_stop_ms: Some(4_000.0),
        ..Default::default()
    });
    let mut by_hand = pod;
    pod.signal(at(0.0), SIGTERM);
    assert_eq!(pod.ready_until(), Some(at(1_000.0)));
    assert_eq!(pod.deadline(), Some(at(24_000.0)));
    by_hand.begin(at(0.0), Cause::Asked);
    assert_eq!(by_hand.ready_until(), Some(at(5_000.0)), "nothing has waited before");
    assert_eq!(by_hand.deadline(), Some(at(28_000.0)));
}

#[test]
fn who_never_served_need_not_wait() {
    let mut pod = Lifecycle::new(LifecycleConfig::in_cluster()).unwrap();
    assert!(pod.begin(at(0.0), Cause::NeverServed));
    assert_eq!(pod.ready_until(), Some(at(0.0)));
    assert_eq!(pod.exit_code(), 1);
}

/// The constants of the hand-written server that this replaces: 90 s, 120 s and 5 s.
#[test]
fn patient_constants_fit_into_a_grace_period_that_is_long_enough() {
    let patient = |grace_ms| LifecycleOptions {
        grace_ms: Some(grace_ms),
        drain_delay_ms: Some(90_000.0),
        drain_timeout_ms: Some(120_000.0),
        longest_request_ms: Some(120_000.0),
        hooks_ms: Some(5_000.0),
        ..Default::default()
    };
    let mut process = options(patient(217_000.0));
    assert_eq!(process.budget().short(), Duration::ZERO);
    process.signal(at(0.0), SIGTERM);
    assert_eq!(process.ready_until(), Some(at(90_000.0)));
    assert_eq!(process.drain_until(), Some(at(210_000.0)));
    let budget = options(patient(30_000.0)).budget();
    assert_eq!((budget.needed(), budget.short()), (ms(217_000), ms(187_000)));
}

#[test]
fn hooks_that_need_more_than_usual_are_kept_more() {
    let mut process = Lifecycle::new(LifecycleConfig::new()).unwrap();
    process.set_hooks(ms(9_000));
    process.signal(at(0.0), SIGTERM);
    assert_eq!(process.drain_until(), Some(at(19_000.0)));
    process.set_hooks(ms(20_000));
    assert_eq!(process.drain_until(), Some(at(14_000.0)), "half of it at most");
}

#[test]
fn a_hook_gets_its_limit_or_its_share() {
    let mut process = Lifecycle::new(LifecycleConfig::new()).unwrap();
    process.signal(at(0.0), SIGTERM);
    let limit = |own, later, open| process.hook_limit(at(23_000.0), own, ms(later), open);
    assert_eq!(limit(Some(ms(3_000)), 1_000, 0), ms(3_000));
    // 5 s less 250 ms are left for 2.5 s and 7 s.
    assert_eq!(limit(Some(ms(2_500)), 7_000, 0), ms(1_250));
    assert_eq!(limit(None, 0, 0), ms(4_750), "all that is left");
    assert_eq!(limit(Some(ms(200)), 0, 1), ms(200), "one without a limit does not crowd it out");
    assert_eq!(process.hook_limit(at(28_000.0), None, ms(0), 0), Duration::ZERO);
}

#[test]
fn npm_doubles_sigint() {
    let mut process = Lifecycle::new(LifecycleConfig::new()).unwrap();
    assert_eq!(process.signal(at(0.0), SIGINT), Repeat::First);
    assert_eq!(process.signal(at(5.0), SIGINT), Repeat::Ignored);
    assert_eq!(process.deadline(), Some(at(28_000.0)));
    assert_eq!(process.signal(at(2_000.0), SIGINT), Repeat::Hastened);
    assert_eq!(process.deadline(), Some(at(3_000.0)));
    assert_eq!(process.drain_until(), Some(at(2_500.0)), "half of it is for the hooks");
    assert_eq!(process.signal(at(2_005.0), SIGINT), Repeat::Ignored);
    assert_eq!(process.signal(at(2_006.0), SIGTERM), Repeat::Exit);
    assert_eq!((process.phase(), process.exit_code()), (Phase::Forced, 143));
}

#[test]
fn another_signal_is_no_repetition() {
    let mut process = Lifecycle::new(LifecycleConfig::new()).unwrap();
    process.signal(at(0.0), SIGINT);
    assert_eq!(process.signal(at(100.0), SIGTERM), Repeat::Hastened);
}

#[test]
fn exit_codes() {
    let end = |events: &[Event]| {
        let mut process = Lifecycle::new(LifecycleConfig::new()).unwrap();
        process.signal(at(0.0), SIGTERM);
        process.advance(at(0.0), Event::Time);
        process.advance(at(0.0), Event::Drained);
        for event in events {
            process.advance(at(0.0), *event);
        }
        let forced = process.forced_code();
        assert_eq!(process.advance(at(0.0), Event::HooksEnded), Phase::Done);
        (process.exit_code(), forced)
    };
    assert_eq!(end(&[]), (0, 75));
    assert_eq!(end(&[Event::HookFailed]), (1, 75));
    assert_eq!(end(&[Event::HookFailed, Event::Cut]), (75, 75));
    assert_eq!(end(&[Event::Cut, Event::Failed]), (1, 1));
}

#[test]
fn refuses_what_makes_no_sense() {
    let refused = |options: LifecycleOptions| options.build().unwrap_err().field;
    assert_eq!(refused(LifecycleOptions { grace_ms: Some(0.0), ..Default::default() }), "graceMs");
    let margin = LifecycleOptions { margin_ms: Some(30_000.0), ..Default::default() };
    assert_eq!(refused(margin), "graceMs");
    let hooks = LifecycleOptions { hooks_ms: Some(-1.0), ..Default::default() };
    assert_eq!(refused(hooks), "hooksMs");
    let short = options(LifecycleOptions { grace_ms: Some(1_000.0), ..Default::default() });
    assert_eq!(short.config().margin, ms(500), "half of it at most");
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(u64),
    Signal(u8),
    Event(u32),
    Hooks(u64),
    Begin(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4_000u64).prop_map(Step::Wait),
        2 => prop_oneof![Just(SIGINT), Just(SIGTERM), Just(1u8)].prop_map(Step::Signal),
        3 => (0..6u32).prop_map(Step::Event),
        1 => (0..40_000u64).prop_map(Step::Hooks),
        1 => (0..3u32).prop_map(Step::Begin),
    ]
}

/// What signals mean, from the list of all that have come.
fn repeats(came: &[(u64, u8)], within: u64) -> Vec<Repeat> {
    let mut counted: Vec<(u64, u8)> = Vec::new();
    let mut meanings = Vec::new();
    for &(now, signal) in came {
        let again = counted.iter().take(2).any(|(at, other)| *other == signal && now - at < within);
        if again {
            meanings.push(Repeat::Ignored);
            continue;
        }
        counted.push((now, signal));
        meanings.push(match counted.len() {
            1 => Repeat::First,
            2 => Repeat::Hastened,
            _ => Repeat::Exit,
        });
    }
    meanings
}

proptest! {
    #[test]
    fn it_goes_forward_and_ends_by_its_deadline(
        grace in 100..60_000u64,
        delay in 0..20_000u64,
        drain in prop::option::of(0..20_000u64),
        hooks in 0..20_000u64,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut process = options(LifecycleOptions {
            grace_ms: Some(grace as f64),
            drain_delay_ms: Some(delay as f64),
            drain_timeout_ms: drain.map(|ms| ms as f64),
            hooks_ms: Some(hooks as f64),
            ..Default::default()
        });
        let margin = (grace / 2).min(2_000);
        let (mut now, mut came, mut begun) = (0u64, Vec::new(), None);
        let mut deadline = None;
        for step in steps {
            let before = process;
            let time = at(now as f64);
            match step {
                Step::Wait(ms) => now += ms,
                Step::Signal(signal) => {
                    came.push((now, signal));
                    let meaning = process.signal(time, signal);
                    prop_assert_eq!(Some(meaning), repeats(&came, 2_000).last().copied());
                }
                Step::Event(number) => {
                    let phase = process.advance(time, Event::of(number));
                    let late = before.deadline().is_some_and(|deadline| time >= deadline);
                    let one = phase as u8 - before.phase() as u8;
                    prop_assert!(one <= 1 || phase == Phase::Forced, "skipped a phase");
                    prop_assert!(
                        !late || phase >= Phase::Done,
                        "still {phase:?} at {now} ms, after its deadline"
                    );
                }
                Step::Hooks(ms) => process.set_hooks(Duration::from_millis(ms)),
                Step::Begin(cause) => {
                    let began = process.begin(time, Cause::of(cause));
                    prop_assert_eq!(began, before.phase() == Phase::Running);
                }
            }
            prop_assert!(process.phase() >= before.phase(), "went back");
            if process.phase() == Phase::Running {
                prop_assert_eq!(process.deadline(), None);
                prop_assert_eq!(process.due(), None);
                continue;
            }
            let first = *begun.get_or_insert(now);
            let end = process.deadline().unwrap();
            prop_assert!(end <= at((first + grace - margin) as f64), "later than promised");
            prop_assert!(deadline.is_none_or(|before| end <= before), "the deadline went back");
            deadline = Some(end);
            prop_assert!(process.ready_until() <= process.drain_until() || process.phase() > Phase::NotReady);
            prop_assert!(process.drain_until() <= process.deadline());
            if let Some(due) = process.due() {
                prop_assert!(due <= end);
                // What is due does something.
                let mut later = process;
                prop_assert_ne!(later.advance(due.max(at(now as f64)), Event::Time), process.phase());
            }
        }
    }

    #[test]
    fn hooks_together_end_before_the_deadline(
        limits in prop::collection::vec(prop::option::of(1..10_000u64), 1..12),
        grace in 1_000..60_000u64,
    ) {
        let mut process =
            options(LifecycleOptions { grace_ms: Some(grace as f64), ..Default::default() });
        process.signal(at(0.0), SIGTERM);
        let end = process.deadline().unwrap();
        let mut now = process.drain_until().unwrap();
        for (index, own) in limits.iter().enumerate() {
            let later = &limits[index + 1..];
            let sum = later.iter().flatten().sum();
            let open = later.iter().filter(|limit| limit.is_none()).count() as u32;
            let limit = process.hook_limit(now, own.map(ms), ms(sum), open);
            prop_assert!(own.is_none_or(|own| limit <= ms(own)));
            prop_assert!(!limit.is_zero(), "the last hook has its turn");
            // Each takes all that it may.
            now = now.after(limit);
            prop_assert!(now < end, "hook {index} would be late");
        }
    }
}
