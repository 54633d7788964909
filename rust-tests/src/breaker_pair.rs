//! A breaker and its model, to which the same happens.

use proptest::prelude::*;
use seawall::Instant;
use seawall::breaker::{BreakerConfig, Machine, RawPermit, Settled};

use crate::breaker_model::{Ending, Model, Ticket};
use crate::breaker_world::Op;

/// The machine and the model, and the calls both let through.
#[derive(Debug)]
pub struct Pair {
    machine: Machine,
    model: Model,
    calls: Vec<(RawPermit, Ticket)>,
    now: u64,
    may_be_slow: bool,
}

impl Pair {
    /// Both of these options.
    #[must_use]
    pub fn new(config: &BreakerConfig, seed: u64, now: u64) -> Self {
        let machine = Machine::new(config.clone(), seed).expect("valid options");
        let may_be_slow = config.slow_limit().is_some();
        let model = Model::new(config.clone(), seed);
        Self { machine, model, calls: Vec::new(), now, may_be_slow }
    }

    /// Does it to both, and compares.
    ///
    /// # Errors
    /// The first difference.
    pub fn apply(&mut self, op: Op) -> Result<(), TestCaseError> {
        let now = Instant::from_nanos(self.now);
        match op {
            Op::Run(calls, outcome) => {
                for _ in 0..calls {
                    let under_way = self.calls.len();
                    self.apply(Op::Acquire)?;
                    if self.calls.len() > under_way {
                        self.apply(Op::Settle(under_way, outcome, false, None))?;
                    }
                }
            }
            Op::Forward(by) => self.now += by,
            Op::Back(by) => self.now = self.now.saturating_sub(by),
            Op::Acquire => match (self.machine.acquire(now), self.model.acquire(self.now)) {
                (Ok(permit), Ok(ticket)) => self.calls.push((permit, ticket)),
                (Err(got), Err(want)) => {
                    prop_assert_eq!(got.reason, want.reason);
                    prop_assert_eq!(got.retry_after, want.retry_after);
                    prop_assert_eq!(got.generation, self.model.generation());
                }
                (got, want) => prop_assert!(false, "machine: {got:?}, model: {want:?}"),
            },
            Op::Settle(..) | Op::Hang(_) if self.calls.is_empty() => {}
            Op::Settle(which, outcome, slow, open_for) => {
                let (permit, ticket) = self.calls.remove(which % self.calls.len());
                let slow = slow && self.may_be_slow;
                let settled = Settled { slow, open_for, ..Settled::from(outcome) };
                self.machine.record(permit, settled, now);
                self.model.settle(ticket, Ending { outcome, slow, open_for }, self.now);
            }
            Op::Hang(which) => drop(self.calls.remove(which % self.calls.len())),
            Op::Reset => {
                self.machine.reset(now);
                self.model.reset(self.now);
            }
            Op::ForceOpen => {
                self.machine.force_open(now, 0.0);
                self.model.force_open(self.now);
            }
            Op::Isolate => {
                self.machine.isolate(now);
                self.model.isolate(self.now);
            }
            Op::Release => {
                self.machine.release(now);
                self.model.release(self.now);
            }
            Op::SetMode(mode) => {
                self.machine.set_mode(mode, now);
                self.model.set_mode(mode, self.now);
            }
            Op::Check => {
                self.machine.check(now);
                self.model.check(self.now);
            }
            Op::Look => self.look()?,
        }
        self.compare()
    }

    /// Compares what both say of themselves.
    ///
    /// # Errors
    /// The first difference.
    pub fn look(&mut self) -> Result<(), TestCaseError> {
        let got = self.machine.explain(Instant::from_nanos(self.now));
        self.model.look(self.now);
        let model = &self.model;
        prop_assert_eq!(got.since, model.since());
        prop_assert_eq!(got.counts, model.counts());
        let changes_in = model.changes_at().map(|at| at.saturating_sub(self.now));
        prop_assert_eq!(got.changes_in.map(|after| after.as_nanos() as u64), changes_in);
        prop_assert_eq!(got.open_for, model.open_for());
        prop_assert_eq!(got.openings, model.openings());
        prop_assert_eq!(got.step.map(|(step, _)| usize::from(step)), model.step());
        prop_assert_eq!(got.last_failure, model.last_failure());
        prop_assert_eq!(got.opened, model.opened());
        prop_assert_eq!(got.totals, model.totals());
        Ok(())
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let Self { machine, model, .. } = self;
        prop_assert_eq!(machine.state(), model.state());
        prop_assert_eq!(machine.generation(), model.generation());
        prop_assert_eq!(machine.failures(), model.counts().failures);
        prop_assert_eq!(machine.is_testing(), model.is_testing());
        prop_assert_eq!(machine.ask_after(), model.ask_after());
        prop_assert_eq!(machine.poll_timeout().map(Instant::as_nanos), model.changes_at());
        Ok(())
    }
}
