//! Failures on purpose: off unless asked, at the rate asked for, the same for the same seed.

use std::time::Duration;

use proptest::prelude::*;
use seawall::Rng;
use seawall::chaos::{
    Chaos, ChaosConfig, ChaosOptions, FAILING_RATE, Injection, LONGEST_LIFE, LoopPause,
    LoopPauseConfig, Strike, lifespan,
};

fn enabled(injection: Injection, rate: f64) -> Chaos {
    Chaos::new(ChaosConfig { enabled: true, rate, injection }).unwrap()
}

#[test]
fn one_in_ten_thousand() {
    let chaos = enabled(Injection::Fault, FAILING_RATE);
    let mut rng = Rng::new(5);
    let struck = (0..1_000_000).filter(|_| chaos.draw(&mut rng).is_some()).count();
    assert!((60..140).contains(&struck), "{struck}");
}

#[test]
fn a_life_is_anywhere_up_to_the_longest() {
    let mut rng = Rng::new(2);
    let lives: Vec<_> = (0..10_000).map(|_| lifespan(LONGEST_LIFE, &mut rng)).collect();
    assert!(lives.iter().all(|life| *life < Duration::from_millis(100_000_000)));
    let mean = lives.iter().sum::<Duration>() / 10_000;
    assert!((mean.as_secs_f64() - 50_000.0).abs() < 1000.0, "{mean:?}");
}

#[test]
fn options_that_do_not_fit_together() {
    let refused = |options: ChaosOptions| options.build().unwrap_err().field;
    let none = ChaosOptions::default;
    assert_eq!(refused(ChaosOptions { rate: Some(1.5), ..none() }), "rate");
    assert_eq!(refused(ChaosOptions { rate: Some(f64::NAN), ..none() }), "rate");
    assert_eq!(refused(ChaosOptions { max_latency_ms: Some(1.0), ..none() }), "maxLatencyMs");
    let both = ChaosOptions { latency_ms: Some(5.0), max_latency_ms: Some(1.0), ..none() };
    assert_eq!(refused(both), "maxLatencyMs");
    let both = ChaosOptions { latency_ms: Some(5.0), result: Some(true), ..none() };
    assert_eq!(refused(both), "latencyMs");
    let long = Duration::from_secs(9);
    assert!(LoopPause::new(LoopPauseConfig { least: long, ..LoopPauseConfig::default() }).is_err());
}

proptest! {
    #[test]
    fn disabled_never_strikes(rate in 0.0..=1.0f64, seed in any::<u64>()) {
        let chaos = Chaos::new(ChaosConfig::failing(rate)).unwrap();
        let mut rng = Rng::new(seed);
        prop_assert!((0..100).all(|_| chaos.draw(&mut rng).is_none()));
    }

    #[test]
    fn the_ends_of_the_rate_are_exact(seed in any::<u64>()) {
        let mut rng = Rng::new(seed);
        let (never, always) = (enabled(Injection::Result, 0.0), enabled(Injection::Result, 1.0));
        for _ in 0..100 {
            prop_assert_eq!(never.draw(&mut rng), None);
            prop_assert_eq!(always.draw(&mut rng), Some(Strike::Result));
        }
    }

    #[test]
    fn delays_and_pauses_stay_in_their_range(least in 0..10_000u64, more in 0..10_000u64, seed in any::<u64>()) {
        let (least, most) = (Duration::from_millis(least), Duration::from_millis(least + more));
        let mut rng = Rng::new(seed);
        let strike = enabled(Injection::Latency { least, most }, 1.0).draw(&mut rng);
        prop_assert!(matches!(strike, Some(Strike::Delay(delay)) if delay >= least && delay <= most));
        let plan = LoopPause::new(LoopPauseConfig { most_gap: most, least, most }).unwrap();
        let pause = plan.draw(&mut rng);
        prop_assert!(pause.after <= most && pause.lasts >= least && pause.lasts <= most);
        prop_assert_eq!(plan.draw(&mut Rng::new(seed)), plan.draw(&mut Rng::new(seed)));
    }
}
