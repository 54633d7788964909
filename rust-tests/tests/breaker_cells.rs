//! Callers that obey only the words of their cell against a machine that is asked for each call.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::Config;
use seawall::Instant;
use seawall::breaker::cell::Block;
use seawall::breaker::{
    BreakerConfig, CircuitBreaker, Machine, RawPermit, Rejection, Settled, State,
};
use seawall_tests::breaker_world::{
    Op, any_config, any_trip, forward_op, window_that_never_slides,
};
use seawall_tests::cases;
use seawall_tests::js_caller::{JsCall, JsCaller};

/// Events of one case at most.
const LIFE: usize = if cfg!(miri) { 12 } else { 150 };

fn config(count: u32) -> Config {
    Config { cases: cases(count), failure_persistence: None, ..Config::default() }
}

/// A machine asked for everything beside callers who ask where their cell tells them to.
struct Pair {
    machine: Machine,
    breaker: Arc<CircuitBreaker>,
    callers: Vec<JsCaller>,
    calls: Vec<(RawPermit, JsCall)>,
    /// Nanoseconds.
    now: u64,
}

impl Pair {
    fn new(config: &BreakerConfig, seed: u64, callers: u32) -> Self {
        let breaker = Arc::new(CircuitBreaker::new(config.clone(), seed).expect("valid options"));
        let block = Arc::new(Block::new(callers as usize));
        let callers = (0..callers).map(|index| JsCaller::attach(&breaker, &block, index)).collect();
        let machine = Machine::new(config.clone(), seed).expect("valid options");
        Self { machine, breaker, callers, calls: Vec::new(), now: 0 }
    }

    fn apply(&mut self, op: Op, by: usize, may_be_slow: bool) -> Result<(), TestCaseError> {
        let by = by % self.callers.len();
        let ms = self.now as f64 / 1e6;
        // What JavaScript has in milliseconds, the machine gets converted.
        let now = Instant::from_millis(ms);
        match op {
            Op::Forward(nanos) | Op::Back(nanos) => self.now += nanos,
            Op::Run(calls, outcome) => {
                for call in 0..calls {
                    let under_way = self.calls.len();
                    let by = by + call as usize;
                    self.apply(Op::Acquire, by, may_be_slow)?;
                    if self.calls.len() > under_way {
                        let settle = Op::Settle(under_way, outcome, false, None);
                        self.apply(settle, by, may_be_slow)?;
                    }
                }
            }
            Op::Acquire => match (self.machine.acquire(now), self.callers[by].acquire(ms)) {
                (Ok(permit), Ok(call)) => self.calls.push((permit, call)),
                (Err(want), Err(got)) => same_refusal(want, got)?,
                (want, got) => prop_assert!(false, "machine: {want:?}, caller: {got:?}"),
            },
            Op::Settle(..) | Op::Hang(_) if self.calls.is_empty() => {}
            Op::Settle(which, outcome, slow, open_for) => {
                let (permit, call) = self.calls.remove(which % self.calls.len());
                let slow = slow && may_be_slow;
                let settled = Settled { slow, open_for, ..Settled::from(outcome) };
                self.machine.record(permit, settled, now);
                self.callers[by].settle(call, settled, ms);
            }
            Op::Hang(which) => drop(self.calls.remove(which % self.calls.len())),
            Op::Reset => {
                self.machine.reset(now);
                self.breaker.reset(now);
            }
            Op::ForceOpen => {
                self.machine.force_open(now, 0.0);
                self.breaker.force_open(now, 0.0);
            }
            Op::Isolate => {
                self.machine.isolate(now);
                self.breaker.isolate(now);
            }
            Op::Release => {
                self.machine.release(now);
                self.breaker.release(now);
            }
            Op::SetMode(mode) => {
                self.machine.set_mode(mode, now);
                self.breaker.set_mode(mode, now);
            }
            Op::Check => {
                self.machine.check(now);
                self.breaker.check(now);
            }
            Op::Look => {
                prop_assert_eq!(self.machine.explain(now), self.breaker.explain(now));
            }
        }
        for caller in &self.callers {
            prop_assert_eq!(caller.state(), self.machine.state());
        }
        Ok(())
    }
}

fn same_refusal(want: Rejection, got: Rejection) -> Result<(), TestCaseError> {
    prop_assert_eq!((got.reason, got.generation), (want.reason, want.generation));
    let micros = |r: Rejection| r.retry_after.map(|after| after.as_nanos().div_ceil(1000));
    let (want, got) = (micros(want), micros(got));
    // Milliseconds have fractions of a nanosecond to lose.
    let close = want.zip(got).map_or(want == got, |(want, got)| want.abs_diff(got) <= 1);
    prop_assert!(close, "retry after {got:?} instead of {want:?} microseconds");
    Ok(())
}

fn life() -> impl Strategy<Value = Vec<(Op, usize)>> {
    prop::collection::vec((forward_op(), any::<usize>()), 1..LIFE)
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn one_caller_on_its_cell_gets_the_same_answers_as_one_who_always_asks(
        config in any_config(any_trip()),
        seed in any::<u64>(),
        start in prop_oneof![Just(0u64), 0..20_000_000_000u64],
        ops in life(),
    ) {
        let may_be_slow = config.slow_limit().is_some();
        let mut pair = Pair::new(&config, seed, 1);
        pair.now = start;
        for (op, by) in ops {
            pair.apply(op, by, may_be_slow)?;
        }
        pair.apply(Op::Look, 0, may_be_slow)?;
    }

    /// The order of calls of different isolates is nobody's to know. Where it does not matter,
    /// because no call leaves the window, several callers trip the breaker at the very call at
    /// which one would.
    #[test]
    fn several_callers_add_up(
        config in any_config(window_that_never_slides()),
        seed in any::<u64>(),
        callers in 2u32..6,
        ops in life(),
    ) {
        let may_be_slow = config.slow_limit().is_some();
        let mut pair = Pair::new(&config, seed, callers);
        for (op, by) in ops {
            pair.apply(op, by, may_be_slow)?;
        }
        pair.apply(Op::Look, 0, may_be_slow)?;
    }

    /// With any rule and any number of callers no call is lost or counted twice.
    #[test]
    fn totals_are_exact_for_several_callers(
        config in any_config(any_trip()),
        seed in any::<u64>(),
        ops in prop::collection::vec((any::<usize>(), 0u32..3, 0u64..30_000_000), 1..LIFE),
    ) {
        let breaker = Arc::new(CircuitBreaker::new(config, seed).expect("valid options"));
        let mut callers: Vec<JsCaller> = (0..3).map(|_| JsCaller::new(&breaker)).collect();
        let (mut counted, mut refused, mut now) = ([0u64; 3], 0, 0u64);
        for (by, outcome, wait) in ops {
            now += wait;
            let by = by % 4;
            if by == 3 {
                // One isolate ends and another begins.
                callers.remove(0);
                callers.push(JsCaller::new(&breaker));
                continue;
            }
            let outcome = seawall::Outcome::from_code(outcome);
            match callers[by].acquire(now as f64 / 1e6) {
                Ok(call) => {
                    callers[by].settle(call, outcome.into(), now as f64 / 1e6);
                    counted[outcome as usize] += 1;
                }
                Err(_) => refused += 1,
            }
        }
        let totals = breaker.explain(Instant::from_nanos(now)).totals;
        prop_assert_eq!([totals.successes, totals.failures, totals.neutral], counted);
        if breaker.config().mode == seawall::breaker::Mode::Enforce {
            prop_assert_eq!(totals.rejected, refused);
        }
    }
}

#[test]
fn a_caller_that_only_succeeds_asks_once_for_each_slice_at_most() {
    use seawall::breaker::{RateRule, TripRule, Window};
    let window = Window::Time { span: std::time::Duration::from_secs(10), slices: 10 };
    let trip =
        TripRule::Rate(RateRule { window, minimum_calls: 20, failure_rate: Some(0.5), slow: None });
    let config = BreakerConfig { trip, ..BreakerConfig::default() };
    let breaker = Arc::new(CircuitBreaker::new(config, 0).expect("valid options"));
    let mut caller = JsCaller::new(&breaker);
    let slices = if cfg!(miri) { 2 } else { 60 };
    let calls = slices * 1000;
    for ms in 0..calls {
        let call = caller.acquire(f64::from(ms)).expect("closed");
        caller.settle(call, seawall::Outcome::Success.into(), f64::from(ms));
    }
    assert_eq!(caller.crossings, u64::from(slices));
    assert_eq!(caller.state(), State::Closed);
    let explained = breaker.explain(Instant::from_millis(f64::from(calls - 1)));
    let (successes, within) = (explained.totals.successes, explained.counts.calls);
    assert_eq!((successes, within), (u64::from(calls), calls.min(10_000)));
}
