//! The options of a balancer.

use core::time::Duration;

use super::strategy::{Strategy, Weights};
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// What is looked at lies in memory for each connection that is.
const MOST_HEADER_BYTES: u32 = 1 << 20;

/// What a [`Balancer`](super::Balancer) is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BalanceConfig {
    /// By what a worker is chosen. Default [`Strategy::RoundRobin`].
    pub strategy: Strategy,
    /// For [`Strategy::ResourceAware`].
    pub weights: Weights,
    /// A worker whose event loop has not turned for longer gets nothing while others can. Default
    /// 50 ms. Zero: only what turns at this instant.
    pub stuck_after: Duration,
    /// How many hand-overs, each of one connection or of several that came together, a worker may
    /// have unanswered; at least 1. Default 1: what comes meanwhile goes with the next.
    pub credit: u32,
    /// For how long a worker's share grows after it became ready. Default 10 s. Zero: whole at
    /// once.
    pub slow_start: Duration,
    /// After how many failures in a row a worker is left out. Default 3. Zero: never.
    pub eject_after: u32,
    /// For how long, the first time; with each further time as much longer. Default 5 s.
    pub eject_for: Duration,
    /// After how long a latency has faded to about a third, for [`Strategy::PeakEwma`]. Default
    /// 10 s.
    pub latency_decay: Duration,
    /// For how long a worker has to claim a connection before it is offered to another. Default
    /// 20 ms.
    pub offer_for: Duration,
    /// For how long a connection waits for a worker before it is refused. Default 1 s. Zero: not
    /// at all.
    pub patience: Duration,
    /// How many connections may wait at a time; the others wait in the kernel. Default 1024.
    pub max_waiting: u32,
    /// How long the first bytes of a connection are waited for, where a function is to choose by
    /// them. Default 10 ms.
    pub inspect_for: Duration,
    /// How many of them are looked at. Default 16,384.
    pub max_header_bytes: u32,
}

impl Default for BalanceConfig {
    fn default() -> Self {
        Self {
            strategy: Strategy::RoundRobin,
            weights: Weights::default(),
            stuck_after: Duration::from_millis(50),
            credit: 1,
            slow_start: Duration::from_secs(10),
            eject_after: 3,
            eject_for: Duration::from_secs(5),
            latency_decay: Duration::from_secs(10),
            offer_for: Duration::from_millis(20),
            patience: Duration::from_secs(1),
            max_waiting: 1024,
            inspect_for: Duration::from_millis(10),
            max_header_bytes: 16_384,
        }
    }
}

impl BalanceConfig {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.at_least_one("credit", self.credit);
        let Weights { connection, cpu, heap } = self.weights;
        checks.limit(connection >= 0.0, "connectionWeight", Rule::AtLeast, 0.0);
        checks.limit(cpu >= 0.0, "cpuWeight", Rule::AtLeast, 0.0);
        checks.limit(heap >= 0.0, "heapWeight", Rule::AtLeast, 0.0);
        checks.above_zero("latencyDecayMs", self.latency_decay);
        checks.above_zero("offerMs", self.offer_for);
        checks.at_least_one("maxWaiting", self.max_waiting);
        checks.up_to("maxHeaderBytes", self.max_header_bytes, MOST_HEADER_BYTES);
    }
}

/// A balancer in plain values; what is left out has the default of [`BalanceConfig`].
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct BalanceOptions {
    /// The number of a [`Strategy`].
    pub strategy: Option<f64>,
    /// What one connection weighs.
    pub connection_weight: Option<f64>,
    /// What one percent of one processor weighs.
    pub cpu_weight: Option<f64>,
    /// What the whole heap weighs.
    pub heap_weight: Option<f64>,
    /// From when on a worker is stuck, in ms.
    pub stuck_after_ms: Option<f64>,
    /// How many hand-overs may be unanswered.
    pub credit: Option<f64>,
    /// For how long a share grows, in ms.
    pub slow_start_ms: Option<f64>,
    /// After how many failures in a row a worker is left out.
    pub eject_after: Option<f64>,
    /// For how long, in ms.
    pub eject_for_ms: Option<f64>,
    /// After how long a latency has faded, in ms.
    pub latency_decay_ms: Option<f64>,
    /// For how long an offer stands, in ms.
    pub offer_ms: Option<f64>,
    /// For how long a connection waits for a worker, in ms.
    pub patience_ms: Option<f64>,
    /// How many may wait.
    pub max_waiting: Option<f64>,
    /// How long the first bytes are waited for, in ms.
    pub request_inspection_timeout_ms: Option<f64>,
    /// How many of them are looked at.
    pub max_header_bytes: Option<f64>,
}

impl BalanceOptions {
    /// The configuration they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<BalanceConfig, Problem> {
        let mut checks = Checks::new();
        let default = BalanceConfig::default();
        let strategy = match self.strategy {
            None => Some(default.strategy),
            Some(number) => Strategy::from_number(number as u8),
        };
        checks.rule(strategy.is_some(), "strategy", Rule::OneOf);
        let config = BalanceConfig {
            strategy: strategy.unwrap_or(default.strategy),
            weights: Weights {
                connection: self.connection_weight.unwrap_or(default.weights.connection),
                cpu: self.cpu_weight.unwrap_or(default.weights.cpu),
                heap: self.heap_weight.unwrap_or(default.weights.heap),
            },
            stuck_after: checks.millis_or("stuckAfterMs", self.stuck_after_ms, default.stuck_after),
            credit: checks.count("credit", self.credit, default.credit),
            slow_start: checks.millis_or("slowStartMs", self.slow_start_ms, default.slow_start),
            eject_after: checks.whole("ejectAfter", self.eject_after, 0.0, default.eject_after),
            eject_for: checks.millis_or("ejectForMs", self.eject_for_ms, default.eject_for),
            latency_decay: checks.positive(
                "latencyDecayMs",
                self.latency_decay_ms,
                default.latency_decay,
            ),
            offer_for: checks.positive("offerMs", self.offer_ms, default.offer_for),
            patience: checks.millis_or("patienceMs", self.patience_ms, default.patience),
            max_waiting: checks.count("maxWaiting", self.max_waiting, default.max_waiting),
            inspect_for: checks.millis_or(
                "requestInspectionTimeoutMs",
                self.request_inspection_timeout_ms,
                default.inspect_for,
            ),
            max_header_bytes: checks.count(
                "maxHeaderBytes",
                self.max_header_bytes,
                default.max_header_bytes,
            ),
        };
        config.check(&mut checks);
        checks.finish(config)
    }
}
