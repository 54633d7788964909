//! Which of many keys to let go: a cap and an idle time, at constant cost for each key added.

use alloc::vec::Vec;
use core::time::Duration;

use crate::fields::Checks;
use crate::lists::swap_out;
use crate::options::{Problem, Rule};
use crate::time::Instant;

/// Entries looked at for idleness whenever one is added, so that idle ones go without a timer.
const SWEEP: usize = 2;

/// What an entry has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// A number that changes whenever the entry is used.
    pub uses: u64,
    /// It holds what should not be forgotten: it is let go only where all others are the same.
    pub holds: bool,
}

/// Entries in a ring with a hand that goes round ("CLOCK", Corbató 1969): one that was used since
/// the hand passed last is passed over, the first that was not is let go.
#[derive(Debug)]
pub struct Rotation {
    most: usize,
    idle: Duration,
    entries: Vec<Entry>,
    hand: usize,
}

#[derive(Debug)]
struct Entry {
    id: u32,
    uses: u64,
    /// When it was first seen with these uses.
    since: Instant,
}

impl Rotation {
    /// At most `most` entries (at least one), and none unused for `idle` longer than need be.
    #[must_use]
    pub fn new(most: u32, idle: Duration) -> Self {
        Self { most: (most as usize).max(1), idle, entries: Vec::new(), hand: 0 }
    }

    /// A rotation of the options `max` (a whole number from 1) and `idleMs`.
    ///
    /// # Errors
    /// The [`Problem`] of the option.
    pub fn from_options(max: f64, idle_ms: f64) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let rotation = Self::make(max, idle_ms, &mut checks);
        checks.finish(rotation)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(max: f64, idle_ms: f64, checks: &mut Checks) -> Self {
        let most = checks.count("max", Some(max), 0);
        checks.limit(idle_ms > 0.0, "idleMs", Rule::Above, 0.0);
        Self::new(most, crate::time::duration_from_millis(idle_ms))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an entry and hands those to let go to `evict`: idle ones met on the way, and one more
    /// where there is no room. `activity` tells what an entry has done.
    pub fn add(
        &mut self,
        id: u32,
        now: Instant,
        activity: impl Fn(u32) -> Activity,
        mut evict: impl FnMut(u32),
    ) {
        for _ in 0..SWEEP {
            if let Some(entry) = self.look(now, &activity)
                && !entry.used
                && !entry.holds
                && entry.unused >= self.idle
            {
                evict(self.take());
            } else {
                self.step();
            }
        }
        while self.entries.len() >= self.most {
            self.find(now, &activity);
            evict(self.take());
        }
        let uses = activity(id).uses;
        self.entries.push(Entry { id, uses, since: now });
    }

    /// Forgets an entry that is gone.
    pub fn remove(&mut self, id: u32) {
        if let Some(place) = self.entries.iter().position(|entry| entry.id == id) {
            swap_out(&mut self.entries, place);
        }
    }

    /// Moves the hand to the entry to let go: the first unused one that holds nothing, else the
    /// first that holds nothing, else where the hand is after two rounds.
    fn find(&mut self, now: Instant, activity: &impl Fn(u32) -> Activity) {
        for lap in 0..2u8 {
            for _ in 0..self.entries.len() {
                match self.look(now, activity) {
                    Some(entry) if !entry.holds && (!entry.used || lap > 0) => return,
                    _ => self.step(),
                }
            }
        }
    }

    fn look(&mut self, now: Instant, activity: &impl Fn(u32) -> Activity) -> Option<Look> {
        let entry = self.entries.get_mut(self.hand)?;
        let Activity { uses, holds } = activity(entry.id);
        let used = uses != entry.uses;
        if used {
            entry.uses = uses;
            entry.since = now;
        }
        Some(Look { used, holds, unused: now.since(entry.since) })
    }

    fn step(&mut self) {
        self.hand = self.hand.saturating_add(1);
        if self.hand >= self.entries.len() {
            self.hand = 0;
        }
    }

    fn take(&mut self) -> u32 {
        if self.hand >= self.entries.len() {
            self.hand = 0;
        }
        // Never empty where this is called.
        swap_out(&mut self.entries, self.hand).map_or(u32::MAX, |entry| entry.id)
    }
}

struct Look {
    used: bool,
    holds: bool,
    unused: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use core::cell::RefCell;

    const IDLE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO.after(Duration::from_secs(seconds))
    }

    struct World {
        uses: RefCell<BTreeMap<u32, Activity>>,
        rotation: Rotation,
        gone: Vec<u32>,
    }

    impl World {
        fn new(most: u32) -> Self {
            let rotation = Rotation::new(most, IDLE);
            Self { uses: RefCell::default(), rotation, gone: Vec::new() }
        }
        fn add(&mut self, id: u32, seconds: u64) {
            self.uses.borrow_mut().insert(id, Activity { uses: 0, holds: false });
            let (uses, gone) = (&self.uses, &mut self.gone);
            let activity = |id| uses.borrow()[&id];
            self.rotation.add(id, at(seconds), activity, |id| gone.push(id));
        }
        fn touch(&self, id: u32) {
            self.uses.borrow_mut().get_mut(&id).unwrap().uses += 1;
        }
    }

    #[test]
    fn a_million_keys_stay_within_the_cap() {
        let mut world = World::new(100);
        for id in 0..1_000_000 {
            world.add(id, 0);
            let gone = world.gone.pop();
            if let Some(gone) = gone {
                world.uses.borrow_mut().remove(&gone);
            }
            assert!(world.rotation.len() <= 100);
        }
    }

    #[test]
    fn the_used_ones_stay() {
        let mut world = World::new(4);
        for id in 0..4 {
            world.add(id, 0);
        }
        for round in 10..100 {
            world.touch(1);
            world.touch(3);
            world.add(round, 1);
        }
        assert!(!world.gone.contains(&1) && !world.gone.contains(&3));
        assert_eq!(world.rotation.len(), 4);
    }

    #[test]
    fn what_holds_something_goes_last() {
        let mut world = World::new(3);
        for id in 0..3 {
            world.add(id, 0);
        }
        world.uses.borrow_mut().get_mut(&0).unwrap().holds = true;
        for id in 10..20 {
            world.add(id, 0);
        }
        assert!(!world.gone.contains(&0));
        for activity in world.uses.borrow_mut().values_mut() {
            activity.holds = true;
        }
        world.add(99, 0);
        assert_eq!(world.rotation.len(), 3);
    }

    #[test]
    fn idle_ones_go_as_others_come() {
        let mut world = World::new(1000);
        for id in 0..10 {
            world.add(id, 0);
        }
        for id in 100..110 {
            world.add(id, 61);
        }
        assert_eq!(world.gone.len(), 10);
        assert!(world.gone.iter().all(|id| *id < 10));
    }
}
