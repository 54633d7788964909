//! Schedules: against answers computed elsewhere, and what must hold for any options.

use std::time::Duration;

use proptest::prelude::*;
use seawall::Rng;
use seawall::backoff::{Backoff, BackoffConfig, BackoffOptions, Jitter, Strategy as Growth};
use seawall::options::Rule;
use serde_json::Value;

const STRATEGIES: [&str; 6] =
    ["constant", "linear", "exponential", "fibonacci", "list", "decorrelated"];

fn backoff(options: &Value) -> Backoff {
    let number = |key: &str| options.get(key).and_then(Value::as_f64);
    let word = |key: &str, words: &[&str]| {
        let word = options.get(key)?.as_str()?;
        u32::try_from(words.iter().position(|other| *other == word)?).ok()
    };
    let options = BackoffOptions {
        strategy: word("strategy", &STRATEGIES),
        delay_ms: number("delayMs"),
        max_delay_ms: number("maxDelayMs"),
        step_ms: number("stepMs"),
        factor: number("factor"),
        delays_ms: options
            .get("delaysMs")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_f64).collect()),
        repeat_last: options.get("repeatLast").and_then(Value::as_bool),
        jitter: word("jitter", &["none", "full", "equal"]),
        jitter_factor: number("jitter"),
        max_attempts: number("maxAttempts"),
        max_elapsed_ms: number("maxElapsedMs"),
    };
    Backoff::new(options.into_config().unwrap()).unwrap()
}

#[test]
fn answers_the_vectors() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../vectors/backoff.json")).unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let backoff = backoff(&case["options"]);
        let mut rng = Rng::new(case["options"]["seed"].as_u64().unwrap());
        let mut previous = Duration::ZERO;
        let attempts = case["attempts"].as_array().unwrap();
        for (attempt, expected) in attempts.iter().zip(case["waits"].as_array().unwrap()) {
            let attempt = u32::try_from(attempt.as_u64().unwrap()).unwrap();
            let wait = backoff.delay(attempt, previous, &mut rng);
            let expected =
                expected.as_f64().map(|ms| Duration::from_nanos((ms * 1e6).round() as u64));
            assert_eq!(wait, expected, "{} at attempt {attempt}", case["name"]);
            previous = wait.unwrap_or(previous);
        }
    }
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn growth() -> impl Strategy<Value = Growth> {
    prop_oneof![
        Just(Growth::Constant),
        millis(0..10_000).prop_map(|step| Growth::Linear { step }),
        (1.0..10.0).prop_map(|factor| Growth::Exponential { factor }),
        Just(Growth::Fibonacci),
        (prop::collection::vec(millis(0..100_000), 1..8), any::<bool>())
            .prop_map(|(delays, repeat_last)| Growth::List { delays, repeat_last }),
        Just(Growth::Decorrelated),
    ]
}

fn jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        (0.0..=1.0).prop_map(Jitter::PlusMinus),
    ]
}

fn config() -> impl Strategy<Value = BackoffConfig> {
    let limits = (prop::option::of(1..50u32), prop::option::of(millis(0..1_000_000)));
    (growth(), millis(0..5000), millis(0..100_000), jitter(), limits).prop_map(
        |(strategy, base, more, jitter, (max_attempts, max_elapsed))| BackoffConfig {
            jitter: if strategy == Growth::Decorrelated { Jitter::None } else { jitter },
            strategy,
            base,
            max_delay: base + more,
            max_attempts,
            max_elapsed,
        },
    )
}

proptest! {
    #[test]
    fn never_exceeds_the_cap_and_never_panics(
        config in config(),
        attempts in prop::collection::vec(any::<u32>(), 1..20),
        previous in any::<u64>(),
        seed in any::<u64>(),
    ) {
        let cap = config.max_delay;
        let backoff = Backoff::new(config).unwrap();
        let mut rng = Rng::new(seed);
        for attempt in attempts.into_iter().chain([0, 1, 1024, u32::MAX]) {
            let previous = Duration::from_nanos(previous);
            prop_assert!(backoff.wait(attempt, previous, &mut rng) <= cap);
            prop_assert!(backoff.delay(attempt, previous, &mut rng).is_none_or(|wait| wait <= cap));
        }
    }

    #[test]
    fn same_seed_same_waits(config in config(), seed in any::<u64>()) {
        let backoff = Backoff::new(config).unwrap();
        let run = |seed| backoff.delays(Rng::new(seed)).take(60).collect::<Vec<_>>();
        prop_assert_eq!(run(seed), run(seed));
    }

    #[test]
    fn limits_hold(config in config(), seed in any::<u64>()) {
        let (most, limit) = (config.max_attempts, config.max_elapsed);
        let waits: Vec<_> = Backoff::new(config).unwrap().delays(Rng::new(seed)).take(100).collect();
        if let Some(most) = most {
            prop_assert!(waits.len() < most as usize);
        }
        if let Some(limit) = limit {
            prop_assert!(waits.iter().sum::<Duration>() <= limit);
        }
    }

    #[test]
    fn the_drop_ins_jitter_exceeds_the_cap_by_its_share_at_most(
        share in 0.0..3.0f64,
        attempt in any::<u32>(),
        seed in any::<u64>(),
    ) {
        let mut config = BackoffConfig::exponential(Duration::from_secs(1));
        config.jitter = Jitter::PlusMinusOverCap(share);
        let wait = Backoff::new(config).unwrap().wait(attempt, Duration::ZERO, &mut Rng::new(seed));
        prop_assert!(wait.as_secs_f64() <= 30.0 * (1.0 + share) + 1e-6);
    }
}

/// Trap: retries 7 to 11 of other libraries lie on exactly 30 s in 55 to 100 % of runs.
#[test]
fn herd_at_the_cap_stays_spread() {
    let cap = Duration::from_secs(30);
    let mut configs: Vec<_> = [Jitter::Full, Jitter::Equal, Jitter::PlusMinus(0.25)]
        .map(|jitter| BackoffConfig {
            jitter,
            ..BackoffConfig::exponential(Duration::from_secs(1))
        })
        .into();
    configs.push(BackoffConfig::decorrelated(Duration::from_secs(1)));
    for config in configs {
        let backoff = Backoff::new(config.clone()).unwrap();
        for attempt in [7, 8, 9, 10, 11, 1024, u32::MAX] {
            let mut rng = Rng::new(u64::from(attempt));
            let waits: Vec<_> = (0..10_000).map(|_| backoff.wait(attempt, cap, &mut rng)).collect();
            let on_cap = waits.iter().filter(|wait| **wait == cap).count();
            assert!(on_cap < 10, "{config:?} attempt {attempt}: {on_cap} of 10000 on the cap");
            // Ten equal parts of the range that was drawn: none may hold a third of the waits.
            let (low, high) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*high <= cap);
            let mut parts = [0u32; 10];
            for wait in &waits {
                let place = (*wait - *low).as_secs_f64() / (*high - *low).as_secs_f64();
                parts[((place * 10.0) as usize).min(9)] += 1;
            }
            assert!(parts.iter().all(|part| (850..1150).contains(part)), "{config:?} {parts:?}");
        }
    }
}

#[test]
fn jitter_keeps_the_mean_below_the_cap() {
    let mut config = BackoffConfig::constant(Duration::from_millis(1000));
    for (jitter, mean) in
        [(Jitter::Full, 500.0), (Jitter::Equal, 750.0), (Jitter::PlusMinus(0.25), 1000.0)]
    {
        config.jitter = jitter;
        let backoff = Backoff::new(config.clone()).unwrap();
        let mut rng = Rng::new(3);
        let sum: Duration = (0..20_000).map(|_| backoff.wait(1, Duration::ZERO, &mut rng)).sum();
        let got = sum.as_secs_f64() * 1000.0 / 20_000.0;
        assert!((got - mean).abs() < mean * 0.01, "{jitter:?}: {got}");
    }
}

#[test]
fn refuses_what_makes_no_sense() {
    let refused = |change: &dyn Fn(&mut BackoffOptions)| {
        let mut options = BackoffOptions::default();
        change(&mut options);
        let problem = options.into_config().unwrap_err();
        (problem.field, problem.rule)
    };
    assert_eq!(refused(&|o| o.delay_ms = Some(-1.0)), ("delayMs", Rule::AtLeast));
    assert_eq!(refused(&|o| o.delay_ms = Some(f64::NAN)), ("delayMs", Rule::AtLeast));
    assert_eq!(refused(&|o| o.max_delay_ms = Some(1.0)), ("maxDelayMs", Rule::NotBelow));
    assert_eq!(refused(&|o| o.factor = Some(0.5)), ("factor", Rule::AtLeast));
    assert_eq!(refused(&|o| o.step_ms = Some(5.0)), ("stepMs", Rule::OnlyWith));
    assert_eq!(refused(&|o| o.strategy = Some(4)), ("delaysMs", Rule::NotEmpty));
    assert_eq!(refused(&|o| o.strategy = Some(9)), ("strategy", Rule::OneOf));
    assert_eq!(refused(&|o| o.jitter_factor = Some(1.5)), ("jitter", Rule::Share));
    assert_eq!(refused(&|o| o.jitter = Some(8)), ("jitter", Rule::OneOf));
    assert_eq!(refused(&|o| o.max_attempts = Some(0.0)), ("maxAttempts", Rule::IntegerAtLeast));
    assert_eq!(refused(&|o| o.max_attempts = Some(1.5)), ("maxAttempts", Rule::IntegerAtLeast));
    assert_eq!(refused(&|o| o.max_elapsed_ms = Some(-1.0)), ("maxElapsedMs", Rule::AtLeast));
}
