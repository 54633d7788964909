//! Breakers and their model, through any life.

use std::time::Duration;

use seawall::Outcome;
use seawall::breaker::{
    BreakerConfig, HalfOpen, Mode, OpenFor, RateRule, Reclose, SlowRule, TripRule, Window,
};

use super::bytes::Bytes;
use crate::breaker_pair::Pair;
use crate::breaker_world::Op;

/// What one input may take at the most: the model recounts everything at each step.
const MOST: usize = 160;

/// The machine does what the model does.
pub fn breaker(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let config = config(&mut bytes);
    if config.validate().is_err() {
        return;
    }
    let seed = bytes.one(&[0, 7, u64::MAX]);
    let start = u64::from(bytes.byte()) * 1_000_000_000;
    let mut pair = Pair::new(&config, seed, start);
    for _ in 0..MOST {
        if bytes.is_empty() {
            break;
        }
        let op = op(&mut bytes);
        pair.apply(op).expect("the machine and the model agree");
    }
    pair.look().expect("the machine and the model agree");
}

fn share(bytes: &mut Bytes<'_>) -> f64 {
    f64::from(bytes.below(101)) / 100.0
}

fn config(bytes: &mut Bytes<'_>) -> BreakerConfig {
    let count = |bytes: &mut Bytes<'_>| bytes.below(12);
    let trip = match bytes.below(3) {
        0 => TripRule::Consecutive(count(bytes)),
        1 => TripRule::Failures { failures: count(bytes), within: bytes.millis() },
        _ => {
            let window = if bytes.bool() {
                Window::Calls(bytes.below(80))
            } else {
                Window::Time { span: bytes.millis(), slices: bytes.below(9) }
            };
            let failure_rate = Some(share(bytes)).filter(|_| bytes.bool());
            let slow = SlowRule { rate: share(bytes), longer_than: bytes.millis() };
            let slow = Some(slow).filter(|_| bytes.bool());
            TripRule::Rate(RateRule { window, minimum_calls: count(bytes), failure_rate, slow })
        }
    };
    let open_for = OpenFor::Fixed(bytes.millis());
    let lease = Some(bytes.millis()).filter(|_| bytes.bool());
    let half_open = HalfOpen { permits: bytes.below(9), success_rate: share(bytes), lease };
    let shares = [share(bytes), share(bytes)].into();
    let reclose = Reclose { shares, calls: bytes.below(6), step: bytes.millis() };
    let reclose = Some(reclose).filter(|_| bytes.bool());
    let mode = bytes.one(&[Mode::Enforce, Mode::Enforce, Mode::DryRun, Mode::Disabled]);
    BreakerConfig { trip, open_for, half_open, reclose, mode }
}

fn op(bytes: &mut Bytes<'_>) -> Op {
    let outcomes = [Outcome::Success, Outcome::Failure, Outcome::Failure, Outcome::Neutral];
    match bytes.below(20) {
        0..=4 => Op::Acquire,
        5..=9 => {
            let (which, outcome) = (usize::from(bytes.byte()), bytes.one(&outcomes));
            let flags = bytes.byte();
            let open_for = (flags & 0xf0 == 0xf0).then(|| bytes.millis());
            Op::Settle(which, outcome, flags & 1 == 1, open_for)
        }
        10 => Op::Run(bytes.below(40) + 1, bytes.one(&outcomes[..2])),
        11 => Op::Hang(usize::from(bytes.byte())),
        12..=14 => Op::Forward(forward(bytes)),
        15 => Op::Back(forward(bytes)),
        16 => bytes.one(&[Op::Reset, Op::ForceOpen, Op::Isolate, Op::Release]),
        17 => Op::SetMode(bytes.one(&[Mode::Enforce, Mode::DryRun, Mode::Disabled])),
        18 => Op::Check,
        _ => Op::Look,
    }
}

fn forward(bytes: &mut Bytes<'_>) -> u64 {
    let by = bytes.millis() + Duration::from_nanos(u64::from(bytes.byte() & 3));
    let times = bytes.one(&[1, 1, 1, 60, 86_400_000]);
    u64::try_from(by.as_nanos()).expect("short") * times
}
