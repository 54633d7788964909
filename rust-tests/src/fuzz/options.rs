//! Options and snapshots as they come through a door or from a file.

use seawall::Instant;
use seawall::backoff::{Backoff, BackoffOptions};
use seawall::breaker::{
    BreakerConfig, BreakerOptions, Machine, RateRule, Snapshot, TripRule, Window,
};
use seawall::door::numbers::{FromNumbers, read};
use seawall::options::Problem;
use seawall::retry::RetryOptions;

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
