//! The probes of a half-open breaker.

use core::time::Duration;

use super::config::HalfOpen;
use crate::lists::Fifo;
use crate::outcome::Outcome;
use crate::time::Instant;

/// Probe numbers fit beside the generation in a permit.
pub(crate) const PROBE_BITS: u32 = 20;
const PROBES: u32 = 1 << PROBE_BITS;
/// Probes remembered behind the oldest that is still out: more than a trial may have, fewer than
/// there are numbers. Neutral ones give their place back, so their number has no other limit.
const MOST_OUT: usize = 1 << 18;

/// One round of probes.
///
/// A probe is out until it ends or its lease does; an expired probe has lost its
/// place, so a call that hangs cannot hold the breaker half-open. Its end counts
/// all the same, so that calls that always take longer than the lease cannot
/// hold it either.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    lease: Duration,
    /// The probes that were let out, by number from `first` on.
    out: Fifo<Probe>,
    first: u32,
    /// The place in `out` from which on probes are not expired.
    awaited: usize,
    waiting: u32,
    successes: u32,
    failures: u32,
}

#[derive(Debug, Clone, Copy)]
enum Probe {
    /// Let out then.
    Awaited(Instant),
    Expired,
    Ended,
}

impl Trial {
    pub(crate) const fn new(lease: Duration) -> Self {
        let out = Fifo::new();
        Self { lease, out, first: 1, awaited: 0, waiting: 0, successes: 0, failures: 0 }
    }

    /// A place for one more probe, or when the next lease ends.
    pub(crate) fn admit(&mut self, rule: HalfOpen, now: Instant) -> Result<u32, Option<Instant>> {
        self.expire(now);
        let taken = self.waiting.saturating_add(self.successes).saturating_add(self.failures);
        if self.out.len() >= MOST_OUT && self.awaited > 0 {
            // It has hung for so long that more than a quarter of a million have followed it.
            self.drop_first();
            self.trim();
        }
        if taken >= rule.permits || self.out.len() >= MOST_OUT {
            return Err(self.next_expiry());
        }
        let number = self.number(self.out.len());
        self.out.push(Probe::Awaited(now));
        self.waiting = self.waiting.saturating_add(1);
        Ok(number)
    }

    /// Takes probe `number` back; whether it had not ended before.
    pub(crate) fn take(&mut self, number: u32, now: Instant) -> bool {
        self.expire(now);
        let lap = if number < self.first { PROBES.wrapping_sub(1) } else { 0 };
        let index = number.wrapping_add(lap).wrapping_sub(self.first) as usize;
        let Some(probe) = self.out.get_mut(index) else { return false };
        match core::mem::replace(probe, Probe::Ended) {
            Probe::Awaited(_) => self.waiting = self.waiting.saturating_sub(1),
            Probe::Expired => {}
            Probe::Ended => return false,
        }
        self.trim();
        true
    }

    /// Counts how a probe that was taken back ended; whether the trial passed, once that is certain.
    pub(crate) fn count(&mut self, rule: HalfOpen, outcome: Outcome) -> Option<bool> {
        match outcome {
            Outcome::Success => self.successes = self.successes.saturating_add(1),
            Outcome::Failure => self.failures = self.failures.saturating_add(1),
            Outcome::Neutral => return None,
        }
        let required = rule.required(rule.permits);
        if self.successes >= required {
            return Some(true);
        }
        (self.failures > rule.permits.saturating_sub(required)).then_some(false)
    }

    /// Whether any probe is out.
    pub(crate) const fn is_testing(&self) -> bool {
        self.waiting > 0
    }

    /// When the oldest lease ends.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.out.as_slice().iter().skip(self.awaited).find_map(|probe| match probe {
            Probe::Awaited(since) => Some(since.after(self.lease)),
            _ => None,
        })
    }

    fn expire(&mut self, now: Instant) {
        while let Some(probe) = self.out.get_mut(self.awaited) {
            if let Probe::Awaited(since) = *probe {
                if now.since(since) < self.lease {
                    break;
                }
                *probe = Probe::Expired;
                self.waiting = self.waiting.saturating_sub(1);
            }
            self.awaited = self.awaited.saturating_add(1);
        }
    }

    /// Drops what ended from the front.
    fn trim(&mut self) {
        while let Some(Probe::Ended) = self.out.first() {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        self.out.pop();
        self.first = self.number(1);
        self.awaited = self.awaited.saturating_sub(1);
    }

    /// The number `ahead` of the first; numbers run from 1 and begin again before they leave their bits.
    fn number(&self, ahead: usize) -> u32 {
        let ahead = u32::try_from(ahead).unwrap_or(0);
        let sum = self.first.wrapping_add(ahead);
        if sum >= PROBES { sum.wrapping_sub(PROBES).wrapping_add(1) } else { sum }
    }
}
