//! The workers there are, and which of them is next.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall::Rng;
use seawall::balance::{BalanceConfig, Balancer, Load, Strategy, Tried, shed_share};
use seawall::http::{Turn, TurnConfig};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::super::clock;
use super::worker::Worker;

/// Whether a worker has become ready, or turns again, is only seen in its memory.
const LOOK: Duration = Duration::from_millis(2);

struct State {
    workers: Vec<Arc<Worker>>,
    balancer: Balancer,
    rng: Rng,
    loads: Vec<Load>,
}

/// The table of workers.
pub(crate) struct Workers {
    state: Mutex<State>,
    changed: Notify,
    /// Whether the choice goes by how long answers take.
    pub(crate) timed: bool,
}

impl Workers {
    pub(super) fn new(config: BalanceConfig, seed: u64) -> io::Result<Self> {
        let balancer = Balancer::new(config)
            .map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem.field))?;
        let (workers, loads) = (Vec::new(), Vec::new());
        let state = State { workers, balancer, rng: Rng::new(seed), loads };
        let timed = config.strategy == Strategy::PeakEwma;
        Ok(Self { state: Mutex::new(state), changed: Notify::new(), timed })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `worker` takes connections from now on, in place of whoever had its place.
    pub(crate) fn add(&self, worker: Worker) {
        let mut state = self.state();
        state.remove(|other| other.place == worker.place);
        state.workers.push(Arc::new(worker));
        drop(state);
        self.changed.notify_waiters();
    }

    /// The process has ended.
    pub(crate) fn remove(&self, pid: u32) {
        self.state().remove(|worker| worker.pid == pid);
    }

    pub(crate) fn count(&self) -> usize {
        self.state().workers.len()
    }

    /// What each says of itself at this instant, by its place, and how many ms its answers take.
    pub(crate) fn loads(&self) -> Vec<(usize, Load, f64)> {
        let (state, now) = (self.state(), clock::now());
        let latency = |place| state.balancer.latency(place, now).as_secs_f64() * 1e3;
        let load = |worker: &Arc<Worker>| (worker.place, worker.load(), latency(worker.place));
        state.workers.iter().map(load).collect()
    }

    /// One between 0 and 1.
    pub(crate) fn draw(&self) -> f64 {
        self.state().rng.unit()
    }

    /// It failed to take a connection.
    pub(crate) fn failed(&self, worker: &Worker) {
        self.state().balancer.failed(worker.place, clock::now());
    }

    /// It took one.
    pub(crate) fn succeeded(&self, worker: &Worker) {
        self.state().balancer.succeeded(worker.place);
    }

    /// The worker for the next connection: the one that was named, if it can, else by the strategy.
    /// Those of `tried` only where nobody else is there.
    pub(crate) fn pick(&self, named: Option<usize>, tried: &Tried) -> Option<Arc<Worker>> {
        self.state().pick(named, tried)
    }

    /// The same, waiting until somebody can take it, at most until `until`.
    pub(crate) async fn next(
        &self,
        named: Option<usize>,
        tried: &Tried,
        until: Instant,
    ) -> Option<Arc<Worker>> {
        loop {
            let changed = self.changed.notified();
            if let Some(worker) = self.pick(named, tried) {
                return Some(worker);
            }
            if Instant::now() >= until {
                return None;
            }
            let _ = timeout(LOOK, changed).await;
        }
    }

    /// Whose turn a request is; with the worker, where it is somebody's. See [`TurnConfig::turn`].
    pub(crate) fn turn(
        &self,
        config: &TurnConfig,
        named: Option<usize>,
        tried: &Tried,
        closed: Option<usize>,
    ) -> (Turn, Option<Arc<Worker>>) {
        let mut state = self.state();
        if let Some(worker) = state.named(named, tried) {
            return (Turn::Worker(worker.place), Some(worker));
        }
        let State { balancer, rng, loads, .. } = &mut *state;
        let turn = config.turn(balancer, loads, tried, closed, clock::now(), rng);
        let worker = if let Turn::Worker(place) = turn { state.at(place) } else { None };
        (turn, worker)
    }

    /// Ends when workers come; whether one has become ready is only seen in its memory.
    pub(crate) async fn changed(&self) {
        let _ = timeout(LOOK, self.changed.notified()).await;
    }

    /// It answered after that time.
    pub(crate) fn answered(&self, worker: &Worker, latency: Duration) {
        self.state().balancer.answered(worker.place, latency, clock::now());
    }

    /// Tells hot workers which share of their kept connections to give up, and the connections of
    /// those that take no more.
    pub(super) fn rebalance(&self) {
        let mut state = self.state();
        state.look();
        for worker in &state.workers {
            if state.loads.get(worker.place).is_some_and(|load| !load.ready) {
                worker.leave();
            }
            worker.shed(shed_share(&state.loads, worker.place));
        }
    }
}

impl State {
    fn remove(&mut self, which: impl Fn(&Worker) -> bool) {
        self.workers.retain(|worker| {
            let stays = !which(worker);
            if !stays {
                worker.leave();
            }
            stays
        });
    }

    /// Reads what all workers say of themselves.
    fn look(&mut self) {
        self.loads.clear();
        for worker in &self.workers {
            if worker.place >= self.loads.len() {
                self.loads.resize(worker.place + 1, Load::default());
            }
            let load = worker.load();
            if load.ready && !worker.was_ready.load(Ordering::Relaxed) {
                self.balancer.started(worker.place, clock::now());
            }
            worker.was_ready.store(load.ready, Ordering::Relaxed);
            self.loads[worker.place] = load;
        }
    }

    fn at(&self, place: usize) -> Option<Arc<Worker>> {
        self.workers.iter().find(|worker| worker.place == place).cloned()
    }

    /// The worker that was named, if it can and has not failed to yet; looks at all of them.
    fn named(&mut self, named: Option<usize>, tried: &Tried) -> Option<Arc<Worker>> {
        self.look();
        let can = |place: &usize| self.loads.get(*place).is_some_and(|load| load.ready);
        let place = named.filter(|place| !tried.contains(*place)).filter(can)?;
        self.at(place)
    }

    fn pick(&mut self, named: Option<usize>, tried: &Tried) -> Option<Arc<Worker>> {
        let named = self.named(named, tried);
        if named.is_some() {
            return named;
        }
        let now = clock::now();
        let Self { balancer, rng, loads, .. } = self;
        let picked = balancer.pick_other(loads, tried, now, rng)?;
        self.at(picked)
    }
}
