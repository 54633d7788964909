//! By what a worker is chosen among those that may be.

use super::config::BalanceConfig;
use super::worker::{Load, Worker};
use crate::{Instant, Rng};

/// By what the next worker is chosen.
///
/// The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Strategy {
    /// One after the other (smooth weighted round robin, as nginx has it), which is what all of
    /// them do where workers are equally loaded.
    RoundRobin = 0,
    /// The one with the fewest connections.
    LeastConnections = 1,
    /// The one with the smallest sum of connections, processor and heap, each with its
    /// [`Weights`].
    ResourceAware = 2,
    /// The one with the smallest product of latency and requests under way, where one slow answer
    /// counts at once and is forgotten slowly; after Finagle's "peak EWMA".
    PeakEwma = 3,
    /// The better of two drawn at random, by requests under way: M. Mitzenmacher, "The Power of
    /// Two Choices in Randomized Load Balancing", 2001.
    TwoChoices = 4,
}

impl Strategy {
    /// The strategy with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::RoundRobin,
            1 => Self::LeastConnections,
            2 => Self::ResourceAware,
            3 => Self::PeakEwma,
            4 => Self::TwoChoices,
            _ => return None,
        })
    }
}

/// What each part of a load weighs for [`Strategy::ResourceAware`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// One connection. Default 10.
    pub connection: f64,
    /// One percent of one processor. Default 2.
    pub cpu: f64,
    /// The whole heap. Default 100.
    pub heap: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { connection: 10.0, cpu: 2.0, heap: 100.0 }
    }
}

impl Weights {
    fn score(&self, load: &Load) -> f64 {
        f64::from(load.connections) * self.connection
            + load.cpu_percent * self.cpu
            + load.heap * self.heap
    }
}

/// Which of `count` is next after `previous` choices. Nothing of none.
#[must_use]
pub fn round_robin(previous: u64, count: usize) -> Option<usize> {
    usize::try_from(previous.checked_rem(u64::try_from(count).ok()?)?).ok()
}

/// The first with the fewest connections. Nothing of none.
#[must_use]
pub fn least_connections(loads: &[Load]) -> Option<usize> {
    smallest(0..loads.len(), |index| {
        loads.get(index).map_or(f64::INFINITY, |load| f64::from(load.connections))
    })
}

/// The first with the smallest weighted sum. Nothing of none.
#[must_use]
pub fn resource_aware(loads: &[Load], weights: &Weights) -> Option<usize> {
    smallest(0..loads.len(), |index| {
        loads.get(index).map_or(f64::INFINITY, |load| weights.score(load))
    })
}

/// [`resource_aware`] for numbers, four for each worker: connections, percent of a processor, bytes
/// of the heap in use and of the heap. Without a heap none of it is in use.
#[doc(hidden)]
#[must_use]
pub fn lightest(numbers: &[f64], weights: &Weights) -> Option<usize> {
    let score = |index: usize| {
        let first = index.saturating_mul(4);
        let Some([connections, cpu, used, total]) =
            numbers.get(first..first.saturating_add(4)).and_then(|four| four.first_chunk())
        else {
            return f64::INFINITY;
        };
        let heap = if *total > 0.0 { used / total } else { 0.0 };
        connections * weights.connection + cpu * weights.cpu + heap * weights.heap
    };
    smallest(0..numbers.len() / 4, score)
}

/// One choice without memory by [`Strategy::PeakEwma`] or [`Strategy::TwoChoices`], for numbers, two
/// for each worker: requests under way and ms an answer takes.
#[doc(hidden)]
#[must_use]
pub fn plain(strategy: Strategy, numbers: &[f64], seed: u64) -> Option<usize> {
    let number = |index: usize| numbers.get(index).copied().unwrap_or(0.0) + 1.0;
    let count = numbers.len() / 2;
    let is_drawn = strategy == Strategy::TwoChoices;
    let mut rng = Rng::new(seed);
    let mut best = None;
    let mut least = f64::INFINITY;
    for turn in 0..if is_drawn { count.min(2) } else { count } {
        let worker = if is_drawn { (rng.unit() * count as f64) as usize } else { turn };
        let first = worker.saturating_mul(2);
        let busy = number(first);
        let score = if is_drawn { busy } else { busy * number(first.saturating_add(1)) };
        if score < least {
            (best, least) = (Some(worker), score);
        }
    }
    best
}

fn smallest(indexes: impl Iterator<Item = usize>, score: impl Fn(usize) -> f64) -> Option<usize> {
    let mut best = None;
    for index in indexes {
        let value = score(index);
        if best.is_none_or(|(_, least)| value < least) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

/// What choices remember of those before.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    /// Where the search for the smallest begins, so that equals take turns.
    next: usize,
    pub(super) spare: Worker,
    turns: alloc::vec::Vec<f64>,
}

impl Choice {
    pub(super) fn pick(
        &mut self,
        config: &BalanceConfig,
        workers: &[Worker],
        loads: &[Load],
        able: &[usize],
        now: Instant,
        rng: &mut Rng,
    ) -> Option<usize> {
        let share = |index: usize| {
            workers.get(index).map_or(1.0, |worker| worker.share(now, config.slow_start))
        };
        let load = |index: usize| loads.get(index).copied().unwrap_or_default();
        // A warming worker looks busier than it is; one under pressure as well.
        let score = |index: usize, busy: f64| busy * (1.0 + load(index).pressure) / share(index);
        let in_flight = |index: usize| score(index, f64::from(load(index).in_flight) + 1.0);
        match config.strategy {
            Strategy::RoundRobin => self.turn(able, loads.len(), share),
            Strategy::LeastConnections => {
                self.least(able, |index| score(index, f64::from(load(index).connections) + 1.0))
            }
            Strategy::ResourceAware => {
                self.least(able, |index| score(index, 1.0 + config.weights.score(&load(index))))
            }
            Strategy::PeakEwma => self.least(able, |index| {
                let latency = workers
                    .get(index)
                    .map_or(0.0, |worker| worker.latency(now, config.latency_decay));
                // A worker nobody has heard of yet is not infinitely better than the others.
                in_flight(index) * (latency + 1.0)
            }),
            Strategy::TwoChoices => {
                let first = draw(able, rng)?;
                let second = draw(able, rng)?;
                Some(if in_flight(second) < in_flight(first) { second } else { first })
            }
        }
    }

    /// The smallest, of equals the one after the last chosen.
    fn least(&mut self, able: &[usize], score: impl Fn(usize) -> f64) -> Option<usize> {
        let from = self.next;
        let (late, early) = (
            able.iter().copied().filter(|index| *index >= from),
            able.iter().copied().filter(|index| *index < from),
        );
        let picked = smallest(late.chain(early), score)?;
        self.next = picked.saturating_add(1);
        Some(picked)
    }

    /// Smooth weighted round robin: each gains its share, the richest pays for all.
    fn turn(
        &mut self,
        able: &[usize],
        count: usize,
        share: impl Fn(usize) -> f64,
    ) -> Option<usize> {
        self.turns.resize(count, 0.0);
        let mut sum = 0.0;
        for index in able {
            let gain = share(*index);
            sum += gain;
            if let Some(turn) = self.turns.get_mut(*index) {
                *turn += gain;
            }
        }
        let turns = &self.turns;
        let picked =
            smallest(able.iter().copied(), |index| -turns.get(index).copied().unwrap_or(0.0))?;
        if let Some(turn) = self.turns.get_mut(picked) {
            *turn -= sum;
        }
        Some(picked)
    }
}

fn draw(able: &[usize], rng: &mut Rng) -> Option<usize> {
    let place = libm::floor(rng.unit() * able.len() as f64) as usize;
    able.get(place).copied()
}
