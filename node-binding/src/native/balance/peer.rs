//! One worker, as the primary sees it.

use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use seawall::balance::Load;
use seawall::balance::claim::Ticket;

use super::super::board::{Board, SLOTS};
use super::clock::{self, MILLI};
use super::wire;

/// What an offer that was taken back counts for at once: more than any worker is allowed.
const SILENCE: u64 = 10_000 * MILLI;

/// A connection without a worker yet, and until when it waits for one.
pub(super) struct Waiting {
    pub(super) stream: TcpStream,
    pub(super) until: u64,
    /// A bit for each worker that did not take it.
    pub(super) tried: u64,
    /// The worker a function of the user's has named.
    pub(super) named: Option<usize>,
}

/// One that was offered, with the primary's own descriptor.
struct Offered {
    waiting: Waiting,
    slot: usize,
    ticket: Ticket,
    until: u64,
}

pub(super) struct Peer {
    pub(super) index: usize,
    stream: UnixStream,
    board: Arc<Board>,
    offered: Vec<Offered>,
    /// Since when it has not said a word, though an offer was taken back from it for that.
    silent_since: Option<u64>,
    /// Whether it has been ready, so that it is seen to become it.
    pub(super) was_ready: bool,
    /// A bit for the slot of each offer it could not take, for want of descriptors, since this was
    /// last looked at.
    pub(super) untaken: u64,
}

/// What has become of offers.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) claimed: u64,
    pub(super) taken_back: Vec<Waiting>,
}

impl Peer {
    pub(super) fn new(index: usize, stream: UnixStream, board: Arc<Board>) -> Self {
        Self {
            index,
            stream,
            board,
            offered: Vec::new(),
            silent_since: None,
            was_ready: false,
            untaken: 0,
        }
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    pub(super) fn load(&self, now: u64) -> Load {
        let mut load = self.board.load(self.offered.len());
        if let Some(since) = self.silent_since {
            load.block_ms = load.block_ms.max(now.saturating_sub(since) as f64 / MILLI as f64);
        }
        load
    }

    /// Offers a connection until `until`; gives it back where the worker cannot be reached.
    pub(super) fn offer(&mut self, waiting: Waiting, until: u64) -> Result<(), Waiting> {
        let free = |slot: &usize| self.offered.iter().all(|offered| offered.slot != *slot);
        let Some(slot) = (0..SLOTS).find(free) else { return Err(waiting) };
        let Some(ticket) = self.board.slot(slot).and_then(|slot| slot.offer()) else {
            return Err(waiting);
        };
        let numbers = [slot as u64, ticket.to_bits()];
        if wire::send(self.stream.as_fd(), numbers, Some(waiting.stream.as_fd())).is_err() {
            self.board.slot(slot).map(|slot| slot.withdraw(ticket));
            return Err(waiting);
        }
        self.offered.push(Offered { waiting, slot, ticket, until });
        Ok(())
    }

    /// Lets go of what was claimed and takes back what was not, in time.
    pub(super) fn settle(&mut self, now: u64, settled: &mut Settled) {
        let mut place = 0;
        while let Some(Offered { slot, ticket, until, .. }) = self.offered.get(place) {
            let (ticket, until) = (*ticket, *until);
            let Some(slot) = self.board.slot(*slot) else { break };
            if slot.is_claimed(ticket) {
                slot.release(ticket);
                settled.claimed = settled.claimed.wrapping_add(1);
                drop(self.offered.swap_remove(place));
            } else if now >= until && slot.withdraw(ticket) {
                let mut waiting = self.offered.swap_remove(place).waiting;
                self.silent_since.get_or_insert(until.saturating_sub(SILENCE));
                waiting.tried |= bit(self.index);
                settled.taken_back.push(waiting);
            } else {
                place += 1;
            }
        }
    }

    /// Takes back what it said it could not take, at once: it is not silent. Answers how many.
    pub(super) fn give_back(&mut self, settled: &mut Settled) -> usize {
        let untaken = std::mem::take(&mut self.untaken);
        let before = settled.taken_back.len();
        for place in (0..self.offered.len()).rev() {
            let Some(Offered { slot, ticket, .. }) = self.offered.get(place) else { continue };
            let is_meant = untaken & (1 << slot) != 0;
            if is_meant && self.board.slot(*slot).is_some_and(|slot| slot.withdraw(*ticket)) {
                let mut waiting = self.offered.swap_remove(place).waiting;
                waiting.tried |= bit(self.index);
                settled.taken_back.push(waiting);
            }
        }
        settled.taken_back.len().saturating_sub(before)
    }

    /// When the first of its offers ends.
    pub(super) fn next_end(&self) -> Option<u64> {
        self.offered.iter().map(|offered| offered.until).min()
    }

    pub(super) fn open_offers(&self) -> usize {
        self.offered.len()
    }

    /// Empties what it has written to say that it has claimed; false where it is gone.
    pub(super) fn listen(&mut self) -> bool {
        loop {
            match wire::receive(self.stream.as_fd()) {
                // It turns again: what is late for a claim is answered all the same.
                Ok(([_, untaken], _)) => {
                    self.silent_since = None;
                    self.untaken |= untaken;
                }
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    }

    /// What it had not claimed when it went.
    pub(super) fn leave(mut self, settled: &mut Settled) {
        self.settle(clock::now(), settled);
        for Offered { waiting, slot, ticket, .. } in self.offered {
            if self.board.slot(slot).is_some_and(|slot| slot.withdraw(ticket)) {
                settled.taken_back.push(waiting);
            } else {
                settled.claimed = settled.claimed.wrapping_add(1);
            }
        }
    }
}

/// The bit of a worker; those past the 64th share one.
pub(super) fn bit(index: usize) -> u64 {
    1 << index.min(63)
}
