//! What raises a level, and what lets it go.

use proptest::prelude::*;
use seawall::pressure::{Answer, Level, PressureConfig, Signal, Signals};
use seawall_tests::cases;

use super::{judge, medium, ms, signals};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(300)))]

    /// What is not known, in whatever mixture with what is harmless, never leads to a refusal.
    #[test]
    fn nothing_unknown_refuses(
        place in 0usize..17, odd in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ) {
        let mut judge = judge(PressureConfig::default());
        let mut known = Signals::default();
        known.set(Signal::ALL[place], odd);
        judge.observe(ms(0), &known);
        prop_assert_eq!(judge.level(), Level::Normal);
        prop_assert_eq!(judge.admit(&medium()), Answer::Admitted);
    }
}

/// UP 1: utilisation is what the sampler says of the last second, and nothing of before is kept.
#[test]
fn up_1_idle_then_busy_trips_and_busy_then_idle_clears() {
    let mut judge = judge(PressureConfig::default());
    for number in 0..1000 {
        judge.observe(ms(number * 20), &signals([(Signal::Utilization, 0.01)]));
    }
    judge.observe(ms(20_000), &signals([(Signal::Utilization, 0.99)]));
    assert_eq!(judge.level(), Level::Full);
    for number in 0..400 {
        judge.observe(ms(20_020 + number * 20), &signals([(Signal::Utilization, 1.0)]));
    }
    for number in 0..2 {
        judge.observe(ms(28_020 + number * 20), &signals([(Signal::Utilization, 0.02)]));
    }
    assert_eq!((judge.level(), judge.threshold()), (Level::Normal, 0));
}

/// UP 2: a stall counts while it happens, by its age and not by a mean.
#[test]
fn up_2_a_stall_trips_within_one_observation() {
    let mut judge = judge(PressureConfig::default());
    for number in 0..50 {
        judge.observe(ms(number * 20), &signals([(Signal::Block, 0.0), (Signal::DelayP99, 0.4)]));
    }
    for (age, level) in [(99.0, 0), (101.0, 1), (150.0, 2), (180.0, 3), (250.0, 4)] {
        judge.observe(ms(1_000 + age as u64), &signals([(Signal::Block, age)]));
        assert_eq!(judge.level() as u8, level, "{age}");
    }
    judge.observe(ms(1_300), &signals([(Signal::Block, 0.0)]));
    assert_eq!(judge.level(), Level::Full, "one quiet observation is not enough");
    judge.observe(ms(1_320), &signals([(Signal::Block, 0.0)]));
    assert_eq!(judge.level(), Level::Normal);
    let seen = judge.explain();
    assert_eq!((seen.stalls, seen.stall_ms), (1, 250.0));
}

/// UP 3: the empty histogram's infinity is not a delay.
#[test]
fn up_3_an_infinite_delay_is_not_known() {
    let mut judge = judge(PressureConfig::default());
    let odd = signals([(Signal::DelayP99, f64::INFINITY), (Signal::DelayMax, f64::NAN)]);
    judge.observe(ms(0), &odd);
    assert_eq!((judge.level(), judge.pressure()), (Level::Normal, 0.0));
    assert_eq!(judge.explain().gauges[Signal::DelayP99 as usize].value, None);
}

#[test]
fn without_a_limit_of_memory_there_is_no_pressure() {
    let mut judge = judge(PressureConfig::default());
    for limit in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        let known = [(Signal::MemoryUsed, 9e12), (Signal::MemoryLimit, limit)];
        judge.observe(ms(0), &signals(known));
        assert_eq!(judge.level(), Level::Normal, "{limit}");
    }
    judge.observe(ms(0), &signals([(Signal::MemoryUsed, 94e6), (Signal::MemoryLimit, 100e6)]));
    assert_eq!((judge.level(), judge.signal()), (Level::Severe, Some(Signal::MemoryUsed)));
}

#[test]
fn every_signal_can_be_switched_off_and_given_other_limits() {
    for signal in Signal::ALL {
        if matches!(signal, Signal::HeapLimit | Signal::MemoryLimit | Signal::Queue) {
            continue;
        }
        let known = signals([(signal, 7.0), (Signal::HeapLimit, 1.0), (Signal::MemoryLimit, 1.0)]);
        let off = Signal::ALL.into_iter().fold(PressureConfig::default(), PressureConfig::without);
        let mut quiet = judge(off);
        quiet.observe(ms(0), &known);
        assert_eq!(quiet.level(), Level::Normal, "{signal:?}");
        let mut loud = judge(off.limit(signal, 6.0, 8.0));
        loud.observe(ms(0), &known);
        assert_eq!((loud.pressure(), loud.signal()), (0.5, Some(signal)));
    }
}

#[test]
fn a_queue_counts_once_it_stands() {
    let mut judge = judge(PressureConfig::default().limit(Signal::Queue, 5.0, 50.0));
    let wait = |ms| signals([(Signal::Queue, ms)]);
    for number in 0..5 {
        judge.observe(ms(number * 20), &wait(60.0));
        assert_eq!(judge.level(), Level::Normal);
    }
    judge.observe(ms(90), &wait(1.0));
    judge.observe(ms(100), &wait(60.0));
    judge.observe(ms(199), &wait(60.0));
    assert_eq!(judge.level(), Level::Normal, "it was short in between");
    judge.observe(ms(200), &wait(60.0));
    assert_eq!(judge.level(), Level::Full);
    judge.observe(ms(220), &Signals::default());
    judge.observe(ms(240), &Signals::default());
    assert_eq!(judge.level(), Level::Normal, "nobody waits");
}

#[test]
fn an_explanation_says_when_it_changes() {
    let mut judge = judge(PressureConfig::default());
    judge.observe(ms(0), &signals([(Signal::Block, 200.0)]));
    let seen = judge.explain();
    assert_eq!((seen.level, seen.leaves_after), (Level::Severe, 2));
    let below = seen.leaves_below.unwrap();
    assert!((below - 167.5).abs() < 1e-9);
    judge.observe(ms(20), &signals([(Signal::Block, below + 0.01)]));
    judge.observe(ms(40), &signals([(Signal::Block, below + 0.01)]));
    assert_eq!(judge.level(), Level::Severe);
    judge.observe(ms(60), &signals([(Signal::Block, below - 0.01)]));
    assert_eq!(judge.explain().leaves_after, 1);
    judge.observe(ms(80), &signals([(Signal::Block, below - 0.01)]));
    assert_eq!(judge.level(), Level::High);
}
