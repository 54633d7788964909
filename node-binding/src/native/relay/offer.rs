//! A connection that a worker was given, and has perhaps not taken yet.
//!
//! A worker that is stuck takes nothing from its queue. What was sent into such a connection could
//! still be served when it turns again; so that this does not happen after another worker has served
//! it, the first words on the connection name a [slot](seawall::balance::claim) in memory both
//! processes share, and the worker serves the connection only if it can claim that.

use std::sync::Arc;

use seawall::balance::claim::Ticket;

use super::worker::Worker;

/// An offer that is open, or was claimed. The slot is free again once this is dropped.
pub(crate) struct Offer {
    worker: Arc<Worker>,
    slot: usize,
    ticket: Ticket,
    open: bool,
}

impl Offer {
    /// An offer to a worker that claims what it accepts; nothing where it does not, or has more open
    /// offers than there is room for.
    pub(crate) fn make(worker: &Arc<Worker>) -> Option<Self> {
        if !worker.introduced {
            return None;
        }
        let slot = worker.take_slot()?;
        match worker.board().and_then(|board| board.slot(slot)).and_then(|slot| slot.offer()) {
            Some(ticket) => Some(Self { worker: Arc::clone(worker), slot, ticket, open: true }),
            None => {
                worker.give_slot(slot);
                None
            }
        }
    }

    /// What the worker is to claim.
    pub(crate) fn words(&self) -> (u8, u64) {
        (u8::try_from(self.slot).unwrap_or(u8::MAX), self.ticket.to_bits())
    }

    /// Whether the worker has taken it.
    pub(crate) fn is_claimed(&self) -> bool {
        let slot = self.worker.board().and_then(|board| board.slot(self.slot));
        slot.is_some_and(|slot| slot.is_claimed(self.ticket))
    }

    /// Takes it back; false where the worker was first.
    pub(crate) fn withdraw(&mut self) -> bool {
        let slot = self.worker.board().and_then(|board| board.slot(self.slot));
        let withdrawn = slot.is_some_and(|slot| slot.withdraw(self.ticket));
        if withdrawn {
            self.open = false;
            self.worker.was_silent();
        }
        withdrawn
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        let slot = self.worker.board().and_then(|board| board.slot(self.slot));
        if let Some(slot) = slot.filter(|slot| self.open && !slot.withdraw(self.ticket)) {
            slot.release(self.ticket);
            self.worker.spoke();
        }
        self.worker.give_slot(self.slot);
    }
}
