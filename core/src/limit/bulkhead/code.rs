//! Answers as one number, for doors that pass numbers.

use super::{Bulkhead, Entry, Next, Refusal};
use crate::Instant;

/// A place is free now, or was found for who waits in the slot.
const ADMITTED: u32 = 1;
/// Who waits in the slot has waited too long.
const EXPIRED: u32 = 2;
/// The call waits in the slot.
const QUEUED: u32 = 3;
/// There is another answer to be asked for.
const MORE: u32 = 4;
/// The slot begins here.
const SLOT: u32 = 8;
/// From here on it is how many may run without asking.
const MAY_RUN: f64 = (1u32 << 23) as f64;

impl Bulkhead {
    /// How a call enters: 1 at once, 3 as a waiter, plus eight times its slot and 2^23 times
    /// [`may_run`](Self::may_run). Below 0 for a refusal: minus 1 where it is full; minus the sum of
    /// 2, four times the level and 2048 times the threshold where it is by priority.
    #[doc(hidden)]
    #[must_use]
    pub fn entry_code(&self, entry: Result<Entry, Refusal>) -> f64 {
        match entry {
            Ok(Entry::Admitted) => self.code(ADMITTED, 0),
            Ok(Entry::Queued(waiter)) => self.code(QUEUED, waiter.slot()),
            Err(Refusal::Full) => -1.0,
            Err(Refusal::Priority(verdict)) => {
                -(2.0 + 4.0 * f64::from(verdict.level) + 2_048.0 * f64::from(verdict.threshold))
            }
        }
    }

    /// What [`next`](Self::next) answers: 0 nobody, 1 let in, 2 expired, plus 4 if there is more,
    /// and the slot and the limit as for [`entry_code`](Self::entry_code).
    #[doc(hidden)]
    pub fn next_code(&mut self, now: Instant) -> f64 {
        let (kind, slot) = match self.next(now) {
            Some(Next::Admitted(waiter)) => (ADMITTED, waiter.slot()),
            Some(Next::Expired(waiter)) => (EXPIRED, waiter.slot()),
            None => return self.code(0, 0),
        };
        let more = if self.peek(now).is_some() { MORE } else { 0 };
        self.code(kind | more, slot)
    }

    /// Takes whoever waits in the slot out of the queue; [`may_run`](Self::may_run) after it.
    #[doc(hidden)]
    pub fn cancel_slot(&mut self, slot: u32) -> u32 {
        if let Some(waiter) = self.queue.at(slot) {
            self.cancel(waiter);
        }
        self.may_run()
    }

    fn code(&self, kind: u32, slot: u32) -> f64 {
        let low = slot.saturating_mul(SLOT) | kind;
        f64::from(self.may_run()) * MAY_RUN + f64::from(low)
    }
}
