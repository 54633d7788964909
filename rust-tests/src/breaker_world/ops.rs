//! What can happen to a breaker.

use std::time::Duration;

use proptest::prelude::*;
use seawall::Outcome;
use seawall::breaker::Mode;

/// One event. Calls under way are chosen by a number, taken modulo how many there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// A call asks to run.
    Acquire,
    /// So many calls, one after the other, that all end alike.
    Run(u32, Outcome),
    /// A call under way ends.
    Settle(usize, Outcome, bool, Option<Duration>),
    /// A call under way is never heard of again.
    Hang(usize),
    /// The clock goes on, in nanoseconds.
    Forward(u64),
    /// The clock goes back, in nanoseconds.
    Back(u64),
    /// Closed by hand.
    Reset,
    /// Opened by hand.
    ForceOpen,
    /// Held isolated once more.
    Isolate,
    /// Once less.
    Release,
    /// Another mode.
    SetMode(Mode),
    /// The rule is asked to judge.
    Check,
    /// Somebody asks for an explanation.
    Look,
}

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1000 * MILLI;
const YEAR: u64 = 365 * 86_400 * SECOND;

fn step() -> BoxedStrategy<u64> {
    let round = prop::sample::select(&[1u64, 2, 5, 10, 20, 25, 50, 100, 1000][..])
        .prop_map(|millis| millis * MILLI);
    prop_oneof![
        2 => Just(1),
        2 => 1..50u64,
        6 => round.clone(),
        2 => (round, 0..3u64).prop_map(|(step, odd)| step + odd - 1),
        2 => 1..60 * MILLI,
        1 => 1..7200 * SECOND,
    ]
    .boxed()
}

fn settle() -> BoxedStrategy<Op> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Success),
        5 => Just(Outcome::Failure),
        1 => Just(Outcome::Neutral),
    ];
    let open_for = prop::sample::select(&[0u64, 1, 10, 5000][..]).prop_map(Duration::from_millis);
    let open_for = prop_oneof![30 => Just(None), 1 => open_for.prop_map(Some)];
    let which = prop_oneof![3 => Just(0usize), 2 => any::<usize>()];
    (which, outcome, prop::bool::weighted(0.2), open_for)
        .prop_map(|(which, outcome, slow, open_for)| Op::Settle(which, outcome, slow, open_for))
        .boxed()
}

/// Any event in which time does not go back.
pub fn forward_op() -> BoxedStrategy<Op> {
    let mode =
        prop::sample::select(&[Mode::Enforce, Mode::Enforce, Mode::DryRun, Mode::Disabled][..]);
    prop_oneof![
        40 => Just(Op::Acquire),
        40 => settle(),
        3 => (1..120u32, prop::sample::select(&[Outcome::Success, Outcome::Failure][..]))
            .prop_map(|(calls, outcome)| Op::Run(calls, outcome)),
        2 => any::<usize>().prop_map(Op::Hang),
        20 => step().prop_map(Op::Forward),
        1 => Just(Op::Reset),
        1 => Just(Op::ForceOpen),
        1 => Just(Op::Isolate),
        2 => Just(Op::Release),
        1 => mode.prop_map(Op::SetMode),
        2 => Just(Op::Check),
        3 => Just(Op::Look),
    ]
    .boxed()
}

/// Any event.
pub fn any_op() -> BoxedStrategy<Op> {
    prop_oneof![
        60 => forward_op(),
        1 => (0..3 * YEAR).prop_map(Op::Forward),
        2 => (0..3 * SECOND).prop_map(Op::Back),
        1 => step().prop_map(Op::Back),
        1 => (0..YEAR).prop_map(Op::Back),
    ]
    .boxed()
}
