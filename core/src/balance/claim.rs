//! Who serves a connection that was offered to a worker and perhaps to another after it.
//!
//! The primary keeps its own descriptor of a connection until a worker has claimed it. A worker
//! that is stuck claims nothing; then the primary withdraws the offer and makes it to another. The
//! slot decides who was first, in one word that both processes share: exactly one of [`claim`] and
//! [`withdraw`] succeeds for a [`Ticket`], and a ticket of an earlier use of the slot never does.
//!
//! [`claim`]: Slot::claim
//! [`withdraw`]: Slot::withdraw
//!
//! ```
//! use seawall::balance::claim::Slot;
//!
//! let slot = Slot::default();
//! let first = slot.offer().ok_or("in use")?;
//! assert!(slot.withdraw(first), "nobody has claimed it");
//! let second = slot.offer().ok_or("in use")?;
//! assert!(!slot.claim(first), "too late");
//! assert!(slot.claim(second));
//! assert!(!slot.withdraw(second), "it is served");
//! slot.release(second);
//! # Ok::<(), &str>(())
//! ```

use crate::sync::{AtomicU64, Ordering};

const FREE: u64 = 0;
const OFFERED: u64 = 1;
const CLAIMED: u64 = 2;
const STATES: u64 = 3;

/// One use of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

impl Ticket {
    /// The ticket as it goes to another process.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The ticket that came from another process; what would be a state in it means nothing.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & !STATES)
    }
}

/// The place of one offer, in memory that two processes share. Zeroes are a free slot.
///
/// The lowest two bits are its state, the others count its uses, which in 62 bits come to no end.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Slot(AtomicU64);

impl Slot {
    /// Takes the slot for an offer; nothing where it is in use. Only the primary does.
    pub fn offer(&self) -> Option<Ticket> {
        let word = self.0.load(Ordering::Acquire);
        if word & STATES != FREE {
            return None;
        }
        let use_ = word.wrapping_add(4);
        self.0.store(use_ | OFFERED, Ordering::Release);
        Some(Ticket(use_))
    }

    /// Whether the offer is the worker's from now on. Once.
    pub fn claim(&self, ticket: Ticket) -> bool {
        self.move_on(ticket, CLAIMED)
    }

    /// Whether the offer is the primary's again; not where it was claimed.
    pub fn withdraw(&self, ticket: Ticket) -> bool {
        self.move_on(ticket, FREE)
    }

    /// Whether the offer was claimed and not yet released.
    #[must_use]
    pub fn is_claimed(&self, ticket: Ticket) -> bool {
        self.0.load(Ordering::Acquire) == ticket.0 | CLAIMED
    }

    /// Frees the slot of an offer that was claimed. Only the primary does.
    pub fn release(&self, ticket: Ticket) {
        let claimed = ticket.0 | CLAIMED;
        let _ =
            self.0.compare_exchange(claimed, ticket.0 | FREE, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Frees the slot of a process that is gone, whatever it was doing.
    pub fn reset(&self) {
        let word = self.0.load(Ordering::Acquire);
        self.0.store((word & !STATES).wrapping_add(4), Ordering::Release);
    }

    fn move_on(&self, ticket: Ticket, to: u64) -> bool {
        let (from, to) = (ticket.0 | OFFERED, ticket.0 | to);
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
