//! One worker, as the primary sees it.

use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use seawall::balance::claim::Ticket;
use seawall::balance::{Load, Tried};

use super::super::board::{Board, SLOTS, Word};
use super::clock::{self, MILLI};
use super::wire::{self, Answer, MOST, Offers};

/// What an offer that was taken back counts for at once: more than any worker is allowed.
const SILENCE: u64 = 10_000 * MILLI;

/// A connection without a worker yet, and until when it waits for one.
pub(super) struct Waiting {
    pub(super) stream: TcpStream,
    pub(super) until: u64,
    /// Those that did not take it.
    pub(super) tried: Tried,
    /// The worker a function of the user's has named.
    pub(super) named: Option<usize>,
}

/// One that is offered, with the primary's own descriptor.
struct Offered {
    waiting: Waiting,
    slot: usize,
    ticket: Ticket,
    until: u64,
    /// The hand-over it belongs to, which may be of several connections.
    hand_over: u64,
}

pub(super) struct Peer {
    pub(super) index: usize,
    stream: UnixStream,
    board: Arc<Board>,
    /// Sent, and after them those that go with the next message.
    offered: Vec<Offered>,
    /// How many of `offered` are sent.
    sent: usize,
    /// A bit for each slot in use.
    slots: u64,
    hand_overs: u64,
    /// Since when it has not said a word, though an offer was taken back from it for that.
    silent_since: Option<u64>,
    /// Whether it has been ready, so that it is seen to become it.
    pub(super) was_ready: bool,
    /// A bit for the slot of each offer it could not take, for want of descriptors, since this was
    /// last looked at.
    untaken: u64,
    /// How many answers it had given when this was last looked at.
    answers: f64,
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
            sent: 0,
            slots: 0,
            hand_overs: 0,
            silent_since: None,
            was_ready: false,
            untaken: 0,
            answers: 0.0,
        }
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// What it says of itself, and what it has been offered and not said yet.
    pub(super) fn load(&self, now: u64) -> Load {
        let mut load = self.board.load(0);
        let pending = u32::try_from(self.offered.len()).unwrap_or(u32::MAX);
        load.connections = load.connections.saturating_add(pending);
        load.in_flight = load.in_flight.saturating_add(pending);
        load.unanswered = self.unanswered();
        if let Some(since) = self.silent_since {
            load.block_ms = load.block_ms.max(now.saturating_sub(since) as f64 / MILLI as f64);
        }
        load
    }

    /// How many hand-overs it has not answered; of what is not sent, the messages that are full.
    fn unanswered(&self) -> u32 {
        let (sent, next) = self.offered.split_at(self.sent.min(self.offered.len()));
        let mut hand_overs: u32 = 0;
        let mut before = None;
        for offered in sent {
            if before != Some(offered.hand_over) {
                hand_overs = hand_overs.saturating_add(1);
            }
            before = Some(offered.hand_over);
        }
        hand_overs.saturating_add(u32::try_from(next.len() / MOST).unwrap_or(u32::MAX))
    }

    /// How long its slowest answer has taken since the last call, in ms, where it tells.
    pub(super) fn slowest(&mut self) -> Option<f64> {
        let answers = self.board.word(Word::Answers);
        if answers == self.answers {
            return None;
        }
        self.answers = answers;
        let slowest = self.board.word(Word::Slowest);
        self.board.set(Word::Looked, self.board.word(Word::Looked) + 1.0);
        Some(slowest)
    }

    /// Offers a connection until `until`, with the next message; gives it back where there is no
    /// room for it.
    pub(super) fn offer(&mut self, waiting: Waiting, until: u64) -> Result<(), Waiting> {
        let slot = (!self.slots).trailing_zeros() as usize;
        let ticket = (slot < SLOTS).then(|| self.board.slot(slot)?.offer()).flatten();
        let Some(ticket) = ticket else { return Err(waiting) };
        self.slots |= 1 << slot;
        self.offered.push(Offered { waiting, slot, ticket, until, hand_over: 0 });
        Ok(())
    }

    /// Sends what it was offered; answers what could not be sent.
    pub(super) fn send(&mut self) -> Vec<Waiting> {
        while self.sent < self.offered.len() {
            self.hand_overs = self.hand_overs.wrapping_add(1);
            let end = self.offered.len().min(self.sent + MOST);
            let Some(next) = self.offered.get_mut(self.sent..end) else { break };
            let mut numbers: Offers = [0; 1 + 2 * MOST];
            let mut descriptors = [self.stream.as_fd(); MOST];
            numbers[0] = next.len() as u64;
            for (place, offered) in next.iter_mut().enumerate() {
                offered.hand_over = self.hand_overs;
                numbers[1 + 2 * place] = offered.slot as u64;
                numbers[2 + 2 * place] = offered.ticket.to_bits();
            }
            for (place, offered) in next.iter().enumerate() {
                descriptors[place] = offered.waiting.stream.as_fd();
            }
            let descriptors: &[BorrowedFd<'_>] = &descriptors[..next.len()];
            if wire::send(self.stream.as_fd(), &numbers, descriptors).is_err() {
                return self.withdraw_unsent();
            }
            self.sent = end;
        }
        Vec::new()
    }

    fn withdraw_unsent(&mut self) -> Vec<Waiting> {
        let mut back = Vec::new();
        while self.offered.len() > self.sent {
            let Some(Offered { waiting, slot, ticket, .. }) = self.offered.pop() else { break };
            self.board.slot(slot).map(|slot| slot.withdraw(ticket));
            self.slots &= !(1 << slot);
            back.push(waiting);
        }
        back.reverse();
        back
    }

    /// Ends an offer, which leaves the others in their order.
    fn end(&mut self, place: usize) -> Waiting {
        let Offered { waiting, slot, .. } = self.offered.remove(place);
        self.slots &= !(1 << slot);
        if place < self.sent {
            self.sent -= 1;
        }
        waiting
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
                drop(self.end(place));
            } else if now >= until && slot.withdraw(ticket) {
                let mut waiting = self.end(place);
                self.silent_since.get_or_insert(until.saturating_sub(SILENCE));
                waiting.tried.insert(self.index);
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
                let mut waiting = self.end(place);
                waiting.tried.insert(self.index);
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

    /// Reads what it has written to say that it has read offers; false where it is gone.
    pub(super) fn listen(&mut self) -> bool {
        match wire::receive::<{ size_of::<Answer>() / size_of::<u64>() }>(
            self.stream.as_fd(),
            &mut Vec::new(),
        ) {
            // It turns again: what is late for a claim is answered all the same.
            Ok([_, untaken]) => {
                self.silent_since = None;
                self.untaken |= untaken;
                true
            }
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
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
