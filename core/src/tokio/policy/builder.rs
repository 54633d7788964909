//! Putting a policy together.

use std::sync::Arc;
use std::time::Duration;

use super::gate::Gate;
use super::{Parts, Policy};
use crate::options::Problem;
use crate::policy::{Plan, Stage};
use crate::tokio::{
    Adaptive, Breaker, Bulkhead, Chaos, Hedge, RateLimiter, Retry, Throttle, Timeout,
};

/// The parts of a [`Policy`]; named twice, the last one counts.
#[derive(Debug, Default)]
pub struct PolicyBuilder {
    parts: Parts,
    gates: Vec<Gate>,
    order: Option<Vec<Stage>>,
}

/// A method for each gate.
macro_rules! gates {
    ($($(#[$about:meta])+ $method:ident: $gate:ident of $policy:ty;)+) => {
        impl PolicyBuilder {
            $(
                $(#[$about])+
                #[must_use]
                pub fn $method(self, policy: $policy) -> Self {
                    self.gate(Gate::$gate(policy))
                }
            )+
        }
    };
}

gates! {
    /// Lets so many calls through in a time.
    rate_limit: Rate of RateLimiter;
    /// Refuses as many calls as the other side would.
    throttle: Throttle of Throttle;
    /// Refuses calls while the other side is down.
    breaker: Breaker of Breaker;
    /// Lets a fixed number of calls run at a time.
    bulkhead: Bulkhead of Bulkhead;
    /// Lets as many calls run at a time as the other side bears.
    adaptive: Adaptive of Adaptive;
    /// Fails calls on purpose.
    chaos: Chaos of Chaos;
}

impl PolicyBuilder {
    /// A name, under which events speak of its deadline.
    #[must_use]
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.parts.name = name.into();
        self
    }

    /// Ends the call as a whole after this time. To the parts within it a call that it ends has
    /// failed, however long it had waited for permits and places before it began; not where its timer
    /// was held up, or where it still waited for one beside them. Within a retry or a time-out such a
    /// wait is part of the call.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.parts.deadline = Some(deadline);
        self
    }

    /// Repeats failed calls.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.parts.retry = Some(retry);
        self
    }

    /// Begins a second call where the first is late.
    #[must_use]
    pub fn hedge(mut self, hedge: Hedge) -> Self {
        self.parts.hedge = Some(hedge);
        self
    }

    /// Ends one try.
    #[must_use]
    pub fn timeout(mut self, timeout: Timeout) -> Self {
        self.parts.timeout = Some(timeout);
        self
    }

    fn gate(mut self, gate: Gate) -> Self {
        self.gates.retain(|other| other.stage() != gate.stage());
        self.gates.push(gate);
        self
    }

    /// Another order of the parts, the outermost first; parts that are left out stand where
    /// [`Stage::ORDER`] has them among the rest, and parts that are not there do no harm.
    #[must_use]
    pub fn order(mut self, order: &[Stage]) -> Self {
        self.order = Some(order.to_vec());
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// The first contradiction between the parts, see [`Plan::check`].
    pub fn build(mut self) -> Result<Policy, Problem> {
        let order = self.full_order();
        let timeout = self.parts.timeout.as_ref().and_then(Timeout::fixed);
        let plan = Plan { order, deadline: self.parts.deadline, timeout, ..Plan::default() };
        plan.check()?;
        let mut part = 0_usize;
        for stage in plan.order {
            match stage {
                Stage::Deadline => part = part.max(1),
                Stage::Retry => part = part.max(2),
                Stage::Hedge => part = part.max(3),
                Stage::Timeout => part = part.max(4),
                gate => {
                    let place = self.gates.iter().position(|other| other.stage() == gate);
                    let gate = place.map(|place| self.gates.swap_remove(place));
                    if let Some(gates) = self.parts.gates.get_mut(part) {
                        gates.extend(gate);
                    }
                }
            }
        }
        Ok(Policy(Arc::new(self.parts)))
    }

    /// The order of the parts that are there.
    fn full_order(&mut self) -> Vec<Stage> {
        let mut order = self.order.take().unwrap_or_default();
        // A part that was left out goes before the first one that stands behind it usually.
        for (place, stage) in Stage::ORDER.iter().enumerate() {
            if !order.contains(stage) {
                let later = Stage::ORDER.get(place..).unwrap_or_default();
                let at = order.iter().position(|other| later.contains(other));
                order.insert(at.unwrap_or(order.len()), *stage);
            }
        }
        order.retain(|stage| self.has(*stage));
        order
    }

    fn has(&self, stage: Stage) -> bool {
        match stage {
            Stage::Deadline => self.parts.deadline.is_some(),
            Stage::Retry => self.parts.retry.is_some(),
            Stage::Hedge => self.parts.hedge.is_some(),
            Stage::Timeout => self.parts.timeout.is_some(),
            gate => self.gates.iter().any(|other| other.stage() == gate),
        }
    }
}
