//! Options and snapshots as they come through a door or from a file.

use seawall::Instant;
use seawall::backoff::{Backoff, BackoffOptions};
use seawall::breaker::{
    BreakerConfig, BreakerOptions, Machine, RateRule, Snapshot, TripRule, Window,
};
use seawall::door::numbers::{FromNumbers, read};
use seawall::options::Problem;
use seawall::retry::RetryOptions;
use serde::de::DeserializeOwned;

use super::bytes::{Bytes, numbers};

/// How large a window may be before it is only memory that is tested.
const MOST: f64 = 1e6;

fn build<T: FromNumbers + Default, C>(numbers: &[f64], build: impl Fn(&T) -> Result<C, Problem>) {
    let options = read::<T>(numbers);
    let worded = build(&options).err().map(|problem| problem.to_string());
    assert!(worded.is_none_or(|text| !text.is_empty()));
}

/// Numbers of all kinds for the options of all policies: they are taken or refused by name.
pub fn options(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let which = bytes.below(12);
    let numbers = numbers(bytes.rest());
    // Windows and lists of millions of entries are valid, and slow.
    if numbers.iter().any(|number| *number > MOST && number.is_finite()) {
        return;
    }
    match which {
        0 => build(&numbers, |it: &BreakerOptions| Machine::new(it.clone().into_config()?, 0)),
        1 => build(&numbers, |it: &BackoffOptions| Backoff::new(it.clone().into_config()?)),
        2 => build(&numbers, |it: &RetryOptions| it.build(None)),
        3 => build(&numbers, seawall::retry::BudgetOptions::build),
        4 => build(&numbers, seawall::hedge::HedgeOptions::build),
        5 => build(&numbers, seawall::timeout::TimeoutOptions::build),
        6 => build(&numbers, seawall::limit::rate::RateOptions::build),
        7 => build(&numbers, seawall::limit::throttle::ThrottleOptions::build),
        8 => build(&numbers, seawall::limit::bulkhead::BulkheadOptions::build),
        9 => build(&numbers, seawall::limit::adaptive::AdaptiveOptions::build),
        10 => build(&numbers, seawall::cache::CacheOptions::build),
        _ => {
            let plan = read::<seawall::policy::PlanNumbers>(&numbers).plan();
            let _ = plan.check();
        }
    }
}

fn build_text<T: DeserializeOwned, C>(text: &[u8], build: impl FnOnce(T) -> Result<C, Problem>) {
    let Ok(options) = serde_json::from_slice(text) else { return };
    let worded = build(options).err().map(|problem| problem.to_string());
    assert!(worded.is_none_or(|text| !text.is_empty()));
}

/// Files of options, in JSON: they are read or not, taken or refused by name. The first byte says for
/// which policy.
pub fn config(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    // Windows and lists of millions of entries are valid, and slow.
    let mut digits = text.split(|byte| !byte.is_ascii_digit());
    if digits.any(|number| number.len() > 5)
        || text.windows(2).any(|two| two[1] | 32 == b'e' && two[0].is_ascii_digit())
    {
        return;
    }
    let (now, rng) = (Instant::ZERO, seawall::Rng::new(1));
    match which % 24 {
        0 => build_text(text, |it: BreakerOptions| Machine::new(it.into_config()?, 0)),
        1 => build_text(text, |it: BackoffOptions| Backoff::new(it.into_config()?)),
        2 => build_text(text, |it: RetryOptions| it.build(None)),
        3 => build_text(text, |it: seawall::retry::BudgetOptions| it.build()),
        4 => build_text(text, |it: seawall::hedge::HedgeOptions| it.build()),
        5 => build_text(text, |it: seawall::timeout::TimeoutOptions| it.build()),
        6 => build_text(text, |it: seawall::limit::rate::RateOptions| it.build()),
        7 => build_text(text, |it: seawall::limit::throttle::ThrottleOptions| it.build()),
        8 => build_text(text, |it: seawall::limit::bulkhead::BulkheadOptions| it.build()),
        9 => build_text(text, |it: seawall::limit::adaptive::AdaptiveOptions| it.build()),
        10 => build_text(text, |it: seawall::cache::CacheOptions| it.build()),
        11 => build_text(text, |it: seawall::cache::RoomOptions| it.build()),
        12 => build_text(text, |it: seawall::coalesce::CoalesceOptions| it.build()),
        13 => build_text(text, |it: seawall::chaos::ChaosOptions| it.build()),
        14 => build_text(text, |it: seawall::chaos::LoopPauseOptions| it.build()),
        15 => build_text(text, |it: seawall::periodic::PeriodicOptions| it.build(now, rng)),
        16 => build_text(text, |it: seawall::http::TurnOptions| it.build()),
        17 => build_text(text, |it| seawall::http::Idempotency::new(&it)),
        18 => build_text(text, |it: seawall::balance::BalanceOptions| it.build()),
        19 => build_text(text, |it: seawall::health::CheckOptions| it.into_config()),
        20 => build_text(text, |it: seawall::health::JudgeOptions| it.into_config()),
        21 => build_text(text, |it: seawall::health::WatchOptions| it.into_config()),
        22 => build_text(text, |it: seawall::lifecycle::LifecycleOptions| it.build()),
        _ => build_text(text, |it: seawall::pressure::PressureOptions| it.build()),
    }
}

/// Snapshots of any content: restored they are a breaker like any other, or refused.
pub fn snapshot(data: &[u8]) {
    let (kind, data) = data.split_first().unwrap_or((&0, data));
    let snapshot = if kind & 1 == 0 {
        let Ok(snapshot) = serde_json::from_slice::<Snapshot>(data) else { return };
        snapshot
    } else {
        read::<Snapshot>(&numbers(data))
    };
    if snapshot.memory.len() > 10_000 {
        return;
    }
    let rate = |window| {
        let failure_rate = Some(0.5);
        TripRule::Rate(RateRule { window, minimum_calls: 2, failure_rate, slow: None })
    };
    let within = std::time::Duration::from_secs(1);
    let trips = [
        TripRule::Consecutive(3),
        TripRule::Failures { failures: 3, within },
        rate(Window::Calls(10)),
        rate(Window::Time { span: within, slices: 4 }),
    ];
    for trip in trips {
        let config = BreakerConfig { trip, ..BreakerConfig::default() };
        let mut machine = Machine::new(config, 1).expect("valid options");
        let now = Instant::from_millis(5000.0);
        if machine.restore(&snapshot, now).is_err() {
            continue;
        }
        let later = Instant::from_millis(6000.0);
        let admitted = machine.acquire(later);
        if let Ok(permit) = admitted {
            machine.record(permit, seawall::Outcome::Failure.into(), later);
        }
        let again = machine.snapshot(later);
        machine.restore(&again, later).expect("its own snapshot");
        assert_eq!(machine.snapshot(later).state, again.state);
    }
}
