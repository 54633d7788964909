//! Who is refused, how many, and when they are to come back.

use proptest::prelude::*;
use seawall::Rng;
use seawall::limit::priority::{Ask, Priority, Rank};
use seawall::pressure::{Answer, Cause, Judge, PressureConfig, Shed, Signal, Signals};
use seawall_tests::cases;

use super::{judge, medium, ms, signals};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(300)))]

    /// The lower ones are refused before the higher ones, and the critical ones never.
    #[test]
    fn refusals_are_graded(seed in 0u64..1000, pressure in 0.05f64..1.0) {
        let mut judge = Judge::new(PressureConfig::default(), seed).unwrap();
        let block = 100.0 + 150.0 * pressure;
        judge.observe(ms(0), &signals([(Signal::Block, block)]));
        let mut rng = Rng::new(seed);
        let mut counts = [[0u32; 2]; 5];
        let classes =
            [Priority::VeryLow, Priority::Low, Priority::Medium, Priority::High, Priority::VeryHigh];
        for _ in 0..3000 {
            let class = classes[(rng.unit() * 5.0) as usize];
            let shed = judge.admit(&Ask::class(class)).is_shed();
            counts[class as usize][usize::from(shed)] += 1;
        }
        let share = |[let_in, shed]: [u32; 2]| f64::from(shed) / f64::from(let_in + shed);
        let shares = counts.map(share);
        prop_assert_eq!((shares[3], shares[4]), (0.0, 0.0));
        prop_assert!(shares[0] + 0.05 >= shares[1] && shares[1] + 0.05 >= shares[2], "{:?}", shares);
        let all = counts.iter().map(|[_, shed]| f64::from(*shed)).sum::<f64>() / 3000.0;
        prop_assert!((all - pressure.min(0.6)).abs() < 0.08, "{all} of {pressure}");
    }

    #[test]
    fn retry_after_is_the_drain_times_one_to_two(seed in 0u64..1000, lasted in 0u64..100_000) {
        let mut judge = Judge::new(PressureConfig::default(), seed).unwrap();
        judge.observe(ms(0), &signals([(Signal::Block, 300.0)]));
        judge.observe(ms(lasted), &signals([(Signal::Block, 300.0)]));
        let drain = lasted.min(30_000).div_ceil(1000) as u32;
        let mut seen = Vec::new();
        for _ in 0..200 {
            let Answer::Shed(Shed { retry_after_s, .. }) = judge.admit(&medium()) else { panic!() };
            seen.push(retry_after_s);
        }
        if lasted < 1000 {
            prop_assert!(seen.iter().all(|s| *s == 0), "below a second nothing is said");
        } else {
            prop_assert!(seen.iter().all(|s| (drain..=2 * drain).contains(s)), "{:?}", seen);
            prop_assert!(seen.iter().any(|s| *s != seen[0]), "never constant");
        }
    }
}

/// UP 7: not all or nothing, and not for ever: a share is refused, and one signal below its limit
/// does not make the level flap.
#[test]
fn up_7_graded_and_steady() {
    let mut judge = judge(PressureConfig::default());
    judge.observe(ms(0), &signals([(Signal::Utilization, 0.94)]));
    let shed = (0..2000).filter(|_| judge.admit(&medium()).is_shed()).count();
    assert!((850..1150).contains(&shed), "half of them: {shed}");
    let mut changes = 0;
    for number in 1..200u64 {
        let before = judge.level();
        let busy = if number % 2 == 0 { 0.905 } else { 0.895 };
        judge.observe(ms(number * 20), &signals([(Signal::Utilization, busy)]));
        changes += u32::from(judge.level() != before);
    }
    assert_eq!(changes, 1, "from high to elevated, where 0.9 of the soft limit holds it");
}

/// UP 8: those who are refused together are not told to return together.
#[test]
fn up_8_retry_after_is_spread() {
    let mut judge = judge(PressureConfig::default());
    for s in 0..11 {
        judge.observe(ms(s * 1000), &signals([(Signal::Block, 300.0)]));
    }
    let mut seconds: Vec<u32> = (0..300)
        .map(|_| match judge.admit(&medium()) {
            Answer::Shed(shed) => shed.retry_after_s,
            Answer::Admitted => panic!("full"),
        })
        .collect();
    seconds.sort_unstable();
    seconds.dedup();
    assert_eq!(seconds, (10..=20).collect::<Vec<_>>());
}

#[test]
fn users_of_a_class_are_served_alike() {
    let mut judge = judge(PressureConfig::default());
    judge.observe(ms(0), &signals([(Signal::Utilization, 0.94)]));
    let ask = |user| Ask { rank: Rank::Class(Priority::Medium), user: Some(user) };
    let mut let_in = [0u32; 2];
    for number in 0..6000 {
        let (place, user) = if number % 10 == 0 { (0, "modest") } else { (1, "greedy") };
        let_in[place] += u32::from(!judge.admit(&ask(user)).is_shed());
    }
    assert!(let_in[0] > 550, "whoever asks for little gets it: {let_in:?}");
}

#[test]
fn a_dry_run_counts_and_lets_in_but_not_in_maintenance() {
    let config = PressureConfig { dry_run: true, ..PressureConfig::default() };
    let mut judge = judge(config);
    judge.observe(ms(0), &signals([(Signal::Block, 300.0)]));
    let answer = judge.admit(&medium());
    assert!(!answer.is_shed());
    let cause = Cause::Signal(Signal::Block);
    assert_eq!(answer, Answer::Shed(Shed { cause, retry_after_s: 0, dry_run: true }));
    assert_eq!(judge.explain().shed[Signal::Block as usize][2], 1);
    judge.set_maintenance(true);
    assert!(judge.admit(&Ask::class(Priority::VeryHigh)).is_shed());
    judge.set_maintenance(false);
    judge.observe(ms(20), &Signals::default());
    judge.observe(ms(40), &Signals::default());
    assert_eq!(judge.admit(&medium()), Answer::Admitted);
    assert_eq!(judge.explain().shed_in_all(), 2);
}
