//! Which worker a connection is offered to, and what becomes of offers.

use std::time::Duration;

use seawall::balance::{Load, Strategy, Tried, shed_share};

use super::super::board::Word;
use super::clock::{self, MILLI};
use super::front::add;
use super::peer::{Settled, Waiting};
use super::run::{Run, instant, nanos};

/// How often hot workers are looked for.
const REBALANCE: u64 = 500 * MILLI;

impl Run {
    /// Offers a connection with the next messages, or lets it wait.
    pub(super) fn place(&mut self, waiting: Waiting) {
        if let Err(waiting) = self.try_place(waiting) {
            self.waiting.push_back(waiting);
        }
    }

    fn try_place(&mut self, waiting: Waiting) -> Result<(), Waiting> {
        let now = clock::now();
        let named = waiting.named.filter(|worker| self.may_have(*worker, &waiting, now));
        let picked = named.or_else(|| self.pick(now, &waiting.tried));
        let Some(picked) = picked else { return Err(waiting) };
        let until = now.saturating_add(nanos(self.config.offer_for));
        match self.peers.iter_mut().find(|peer| peer.index == picked) {
            Some(peer) => peer.offer(waiting, until),
            None => Err(waiting),
        }
    }

    /// Sends each worker what it was offered.
    pub(super) fn send(&mut self) {
        for peer in &mut self.peers {
            let back = peer.send();
            if !back.is_empty() {
                self.balancer.failed(peer.index, instant(clock::now()));
            }
            for waiting in back.into_iter().rev() {
                self.waiting.push_front(waiting);
            }
        }
    }

    /// Whether a worker that was named can take it: it has not failed to yet.
    fn may_have(&self, worker: usize, waiting: &Waiting, now: u64) -> bool {
        let peer = self.peers.iter().find(|peer| peer.index == worker);
        !waiting.tried.contains(worker) && peer.is_some_and(|peer| peer.load(now).ready)
    }

    /// Tells hot workers which share of their kept connections to give up.
    pub(super) fn rebalance(&mut self) {
        let now = clock::now();
        if now < self.rebalance_at || self.peers.len() < 2 {
            return;
        }
        self.rebalance_at = now.saturating_add(REBALANCE);
        self.look(now);
        for peer in &self.peers {
            peer.board().set(Word::Shed, shed_share(&self.loads, peer.index));
        }
    }

    /// Reads what all workers say of themselves.
    pub(super) fn look(&mut self, now: u64) {
        self.loads.clear();
        let timed = self.config.strategy == Strategy::PeakEwma;
        let instant = instant(now);
        for peer in &mut self.peers {
            if peer.index >= self.loads.len() {
                self.loads.resize(peer.index + 1, Load::default());
            }
            let load = peer.load(now);
            if load.ready && !peer.was_ready {
                self.balancer.started(peer.index, instant);
            }
            peer.was_ready = load.ready;
            self.loads[peer.index] = load;
            if timed {
                if let Some(slowest) = peer.slowest() {
                    // What a worker writes there may be no time at all.
                    let slowest = Duration::try_from_secs_f64(slowest.max(0.0) / 1e3);
                    let slowest = slowest.unwrap_or_default();
                    self.balancer.answered(peer.index, slowest, instant);
                }
                let latency = self.balancer.latency(peer.index, instant);
                peer.board().set(Word::Latency, latency.as_secs_f64() * 1e3);
            }
        }
    }

    fn pick(&mut self, now: u64, tried: &Tried) -> Option<usize> {
        self.look(now);
        let instant = instant(now);
        // Whoever did not take it in time gets it again only where nobody else is there.
        self.balancer.pick_other(&self.loads, tried, instant, &mut self.rng)
    }

    /// Sees which offers were claimed, and takes back those that were not in time.
    pub(super) fn settle(&mut self) {
        let mut settled = Settled::default();
        let now = clock::now();
        for peer in &mut self.peers {
            let before = settled.claimed;
            peer.settle(now, &mut settled);
            if settled.claimed != before {
                self.balancer.succeeded(peer.index);
            }
        }
        self.settled(settled);
    }

    pub(super) fn settled(&mut self, settled: Settled) {
        let Settled { claimed, taken_back } = settled;
        add(&self.shared.counters.handed, claimed);
        add(&self.shared.counters.taken_back, taken_back.len() as u64);
        // They have waited longest.
        for waiting in taken_back.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// Offers what waits, oldest first, and refuses what has waited long enough.
    pub(super) fn serve(&mut self) {
        while let Some(waiting) = self.waiting.pop_front() {
            if let Err(waiting) = self.try_place(waiting) {
                self.waiting.push_front(waiting);
                break;
            }
        }
        self.send();
        let now = clock::now();
        let late = |waiting: &Waiting| waiting.until <= now;
        if !self.waiting.iter().any(late) {
            return;
        }
        for waiting in std::mem::take(&mut self.waiting) {
            if late(&waiting) {
                self.refuse(waiting);
            } else {
                self.waiting.push_back(waiting);
            }
        }
    }

    pub(super) fn refuse(&mut self, waiting: Waiting) {
        add(&self.shared.counters.refused, 1);
        // One or two seconds, so that not all of them come back at once.
        let seconds = 1 + (self.rng.unit() * 2.0) as u64;
        self.refused.add(waiting.stream, seconds);
    }
}
