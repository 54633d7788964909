//! The permits of the last while, in constant memory.

use alloc::vec::Vec;

use crate::time::Instant;

/// Into how many spells the permits of one period are gathered at least.
pub(super) const SPELLS: u64 = 32;

/// Entries of a window.
const MOST: usize = SPELLS as usize + 2;

/// Permits let through within one `SPELLS`th of the period; all go when the latest of them does.
#[derive(Debug, Clone, Copy)]
struct Spell {
    first: u64,
    last: u64,
    permits: u32,
}

/// A log of permits in which neighbours share an entry.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// The oldest first; at most `MOST`, each a `SPELLS`th of the period after the one before.
    spells: Vec<Spell>,
    used: u32,
}

/// The limit of a window and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) limit: u32,
    pub(super) per: u64,
}

impl Limit {
    /// How long a spell is: nothing where there is an entry for each permit.
    const fn spell(&self) -> u64 {
        if self.limit as u64 <= SPELLS { 0 } else { self.per / SPELLS }
    }
}

impl Window {
    pub(super) const EMPTY: Self = Self { spells: Vec::new(), used: 0 };

    /// Forgets what is over by `now`. A clock that went back by more than the period is believed.
    pub(super) fn settle(&mut self, limit: &Limit, now: Instant) {
        let now = now.as_nanos();
        if let Some(newest) = self.spells.last()
            && newest.last.saturating_sub(now) > limit.per
        {
            for spell in &mut self.spells {
                spell.first = spell.first.min(now);
                spell.last = spell.last.min(now);
            }
        }
        let mut over = 0usize;
        for spell in &self.spells {
            if spell.last.saturating_add(limit.per) > now {
                break;
            }
            over = over.saturating_add(1);
            self.used = self.used.saturating_sub(spell.permits);
        }
        self.forget(over);
    }

    /// Drops the oldest `over`. `drain` would bring the words of its panics into the WASM.
    fn forget(&mut self, over: usize) {
        if over == 0 {
            return;
        }
        let mut left = 0usize;
        while let Some(&spell) = self.spells.get(over.saturating_add(left))
            && let Some(place) = self.spells.get_mut(left)
        {
            *place = spell;
            left = left.saturating_add(1);
        }
        self.spells.truncate(left);
    }

    pub(super) const fn used(&self) -> u32 {
        self.used
    }

    /// Adds permits; after [`Window::settle`] with the same time.
    pub(super) fn add(&mut self, limit: &Limit, permits: u32, now: Instant) {
        self.used = self.used.saturating_add(permits);
        let full = self.spells.len() >= MOST;
        let now = now.as_nanos();
        if let Some(newest) = self.spells.last_mut() {
            let now = now.max(newest.last);
            let since = now.saturating_sub(newest.first);
            if since == 0 || since < limit.spell() || full {
                newest.last = now;
                newest.permits = newest.permits.saturating_add(permits);
                return;
            }
        }
        let now = self.spells.last().map_or(now, |newest| now.max(newest.last));
        self.spells.push(Spell { first: now, last: now, permits });
    }

    /// When, from `from` on, `permits` more have room; for as many as the limit at most.
    pub(super) fn ready(&self, limit: &Limit, permits: u32, from: Instant) -> u64 {
        let over = u64::from(self.used).saturating_add(permits.into());
        let mut over = over.saturating_sub(limit.limit.into());
        let mut ready = from.as_nanos();
        for spell in &self.spells {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(spell.permits.into());
            ready = ready.max(spell.last.saturating_add(limit.per));
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded() {
        let limit = Limit { limit: 1_000_000, per: 1_000_000 };
        let mut window = Window::EMPTY;
        let mut rng = crate::Rng::new(3);
        let mut now = 0;
        for _ in 0..100_000 {
            now += (rng.unit() * 2000.0) as u64;
            window.settle(&limit, Instant::from_nanos(now));
            window.add(&limit, 1, Instant::from_nanos(now));
            assert!(window.spells.len() <= MOST, "{}", window.spells.len());
            assert_eq!(window.used, window.spells.iter().map(|spell| spell.permits).sum::<u32>());
        }
        assert!(window.spells.len() > SPELLS as usize - 2);
    }
}
