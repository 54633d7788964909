//! Which of several workers on one machine gets the next connection.
//!
//! **Why.** A kernel that spreads connections over processes does not know that one of them is
//! stuck in a computation, starts cold or has just crashed: it gets its share all the same. Here
//! the loads of all workers are in shared memory, so the choice can be exact.
//!
//! **How.** [`Balancer::pick`] looks at the [`Load`] of each worker at this instant. Left out are
//! workers that are not ready, have as many hand-overs unanswered as they may, are ejected after
//! failures in a row, or whose event loop has not turned for a while; the last two are taken all
//! the same where nobody else is there, because a late answer is better than none. Among the rest
//! the [`Strategy`] chooses. A worker that has just become ready begins with a share of its part,
//! since its code is not compiled yet.
//!
//! **When not.** Across machines, loads are old when they arrive, and everybody runs to the same
//! best worker: there [`Strategy::TwoChoices`] or a balancer of the network belongs.
//!
//! ```
//! use seawall::{Instant, Rng};
//! use seawall::balance::{BalanceConfig, Balancer, Load, Strategy};
//!
//! let mut balancer = Balancer::new(BalanceConfig {
//!     strategy: Strategy::LeastConnections,
//!     ..BalanceConfig::default()
//! })?;
//! let mut rng = Rng::new(1);
//! let now = Instant::from_millis(60_000.0);
//! for worker in 0..2 {
//!     balancer.started(worker, Instant::ZERO);
//! }
//! let busy = Load { ready: true, connections: 7, ..Load::default() };
//! let calm = Load { ready: true, connections: 2, ..Load::default() };
//! assert_eq!(balancer.pick(&[busy, calm], now, &mut rng), Some(1));
//! let stuck = Load { block_ms: 900.0, ..calm };
//! assert_eq!(balancer.pick(&[busy, stuck], now, &mut rng), Some(0));
//! # Ok::<(), seawall::options::Problem>(())
//! ```

#[cfg(feature = "std")]
pub mod claim;
mod config;
mod half;
mod memory;
mod process;
mod respawn;
mod shed;
mod strategy;
mod tried;
mod worker;

use alloc::vec::Vec;
use core::time::Duration;

pub use config::{BalanceConfig, BalanceOptions};
pub use half::Half;
pub use memory::heap_share;
pub use process::{LINGER, is_stale, kill_ms, linger_ms, start_ms, worker_count};
pub use respawn::{Respawn, RespawnConfig, RespawnOptions, Respawned};
pub use shed::shed_share;
pub use strategy::{Strategy, Weights, least_connections, resource_aware, round_robin};
#[doc(hidden)]
pub use strategy::{lightest, plain};
pub use tried::Tried;
pub use worker::Load;

use crate::fields::Checks;
use crate::options::Problem;
use crate::{Instant, Rng};
use strategy::Choice;
use worker::Worker;

/// Chooses among workers that are numbered from 0. See the [module](self).
#[derive(Debug, Clone)]
pub struct Balancer {
    config: BalanceConfig,
    workers: Vec<Worker>,
    choice: Choice,
    /// Kept so that a choice needs no memory of its own.
    able: Vec<usize>,
}

impl Balancer {
    /// A balancer that knows no worker yet.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn new(config: BalanceConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(Self {
            config,
            workers: Vec::new(),
            choice: Choice::default(),
            able: Vec::new(),
        })
    }

    /// What it is made of.
    #[must_use]
    pub const fn config(&self) -> &BalanceConfig {
        &self.config
    }

    /// Notes that `worker` has become ready, for the first time or again: it begins with a small
    /// share, and what was known of one before it is forgotten.
    pub fn started(&mut self, worker: usize, now: Instant) {
        *self.worker(worker) = Worker::ready_at(now);
    }

    /// Notes that a connection was not taken by `worker`, or that it died with it. After
    /// [`BalanceConfig::eject_after`] of them in a row it is left out for a while.
    pub fn failed(&mut self, worker: usize, now: Instant) {
        let (after, base) = (self.config.eject_after, self.config.eject_for);
        self.worker(worker).failed(now, after, base);
    }

    /// Notes that `worker` took a connection.
    pub fn succeeded(&mut self, worker: usize) {
        self.worker(worker).succeeded();
    }

    /// Notes how long `worker` took for a request, for [`Strategy::PeakEwma`].
    pub fn answered(&mut self, worker: usize, latency: Duration, now: Instant) {
        let decay = self.config.latency_decay;
        self.worker(worker).answered(latency, now, decay);
    }

    /// How long `worker` takes for a request, as [`Strategy::PeakEwma`] has it: the slowest at once,
    /// and less again over time.
    #[must_use]
    pub fn latency(&self, worker: usize, now: Instant) -> Duration {
        let decay = self.config.latency_decay;
        let ms = self.workers.get(worker).map_or(0.0, |worker| worker.latency(now, decay));
        Instant::from_millis(ms).since(Instant::ZERO)
    }

    /// Until when `worker` is left out after failures, if it is.
    #[must_use]
    pub fn ejected_until(&self, worker: usize, now: Instant) -> Option<Instant> {
        self.workers.get(worker).and_then(|worker| worker.ejected_until(now))
    }

    /// The part of its share that `worker` gets while it warms up, at most 1.
    #[must_use]
    pub fn share(&self, worker: usize, now: Instant) -> f64 {
        self.workers.get(worker).map_or(1.0, |worker| worker.share(now, self.config.slow_start))
    }

    /// The worker for the next connection, by the loads of this instant: one for each worker, in
    /// order. Nothing where none is ready with a hand-over to spare.
    pub fn pick(&mut self, loads: &[Load], now: Instant, rng: &mut Rng) -> Option<usize> {
        if loads.len() > self.workers.len() {
            self.workers.resize(loads.len(), Worker::default());
        }
        self.find_able(loads, now);
        if self.able.is_empty() {
            return None;
        }
        let picked = self.choice.pick(&self.config, &self.workers, loads, &self.able, now, rng)?;
        Some(picked)
    }

    /// The same, where those of `tried` get it only where nobody else is there.
    ///
    /// ```
    /// use seawall::balance::{BalanceConfig, Balancer, Load, Tried};
    /// use seawall::{Instant, Rng};
    ///
    /// let mut balancer = Balancer::new(BalanceConfig::default())?;
    /// let (now, mut rng) = (Instant::ZERO, Rng::new(1));
    /// let ready = Load { ready: true, ..Load::default() };
    /// let mut tried = Tried::default();
    /// tried.insert(0);
    /// assert_eq!(balancer.pick_other(&[ready, ready], &tried, now, &mut rng), Some(1));
    /// assert_eq!(balancer.pick_other(&[ready], &tried, now, &mut rng), Some(0));
    /// # Ok::<(), seawall::options::Problem>(())
    /// ```
    pub fn pick_other(
        &mut self,
        loads: &[Load],
        tried: &Tried,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<usize> {
        if !tried.is_empty() {
            let mut untried = loads.to_vec();
            for (index, load) in untried.iter_mut().enumerate() {
                load.ready &= !tried.contains(index);
            }
            if let Some(picked) = self.pick(&untried, now, rng) {
                return Some(picked);
            }
        }
        self.pick(loads, now, rng)
    }

    /// Whether every worker that may be chosen has as many hand-overs unanswered as it may, so that a
    /// connection had better wait for a moment where it is. Not where none is ready and turns.
    #[must_use]
    pub fn is_full(&mut self, loads: &[Load], now: Instant) -> bool {
        let stuck = self.stuck_ms();
        if !loads.iter().any(|load| load.ready && load.turns(stuck)) {
            return false;
        }
        if loads.len() > self.workers.len() {
            self.workers.resize(loads.len(), Worker::default());
        }
        self.find_able(loads, now);
        self.able.is_empty()
    }

    /// From when on a worker counts as stuck, for [`Load::turns`].
    pub(crate) fn stuck_ms(&self) -> f64 {
        self.config.stuck_after.as_secs_f64() * 1e3
    }

    /// Fills `able` with who may be chosen: by the strictest of three rules that leaves somebody.
    fn find_able(&mut self, loads: &[Load], now: Instant) {
        let stuck = self.stuck_ms();
        let Self { config, workers, able, .. } = self;
        let credit = config.credit;
        let ready = loads.iter().filter(|load| load.ready).count();
        let ejected = |worker: &Worker| worker.ejected_until(now).is_some();
        let out = workers.iter().zip(loads).filter(|(w, load)| load.ready && ejected(w)).count();
        // Where more than half would be left out, the fault is rather elsewhere.
        let eject = out.saturating_mul(2) <= ready;
        // Whom a rule allows may have no hand-over to spare: it soon will, which is better than one
        // whom the rule does not allow.
        let mut fill = |rule: &dyn Fn(&Worker, &Load) -> bool| {
            let mut anybody = false;
            able.clear();
            for (index, (worker, load)) in workers.iter().zip(loads).enumerate() {
                if load.ready && rule(worker, load) {
                    anybody = true;
                    if load.unanswered < credit {
                        able.push(index);
                    }
                }
            }
            anybody
        };
        let _found = (eject && fill(&|worker, load| load.turns(stuck) && !ejected(worker)))
            || fill(&|_, load| load.turns(stuck))
            || fill(&|_, _| true);
    }

    fn worker(&mut self, index: usize) -> &mut Worker {
        if index >= self.workers.len() {
            self.workers.resize(index.saturating_add(1), Worker::default());
        }
        // The list has just been made long enough; the spare one is never reached.
        match self.workers.get_mut(index) {
            Some(worker) => worker,
            None => &mut self.choice.spare,
        }
    }
}
