//! The breakers of one isolate by number, each with a cell in the isolate's memory.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::numbers;
use super::slab::Slab;
use crate::breaker::cell::Block;
use crate::breaker::{Arena, BreakerConfig, BreakerOptions, CircuitBreaker, Named, Place};
use crate::options::{Checks, Problem, Rule};
use crate::time::Instant;

/// The breakers of one isolate.
#[derive(Debug, Default)]
pub struct Breakers {
    slab: Slab<Entry>,
    arena: Arena,
    /// The options compiled last: services make many breakers with the same.
    last: Option<(Vec<u64>, Arc<BreakerConfig>)>,
}

#[derive(Debug)]
struct Entry {
    /// `None` once it was let go, while callers may still look at its cell.
    breaker: Option<Arc<CircuitBreaker>>,
    place: Place,
    /// By how many nanoseconds the breaker's clock is ahead of the isolate's.
    shift: i64,
    /// Isolations that this isolate still holds, to be given back when it is gone.
    holds: u32,
}

impl Breakers {
    /// No breakers.
    #[must_use]
    pub const fn new() -> Self {
        Self { slab: Slab::new(), arena: Arena::new(), last: None }
    }

    /// A breaker of its own. The options are the numbers of [`BreakerOptions`].
    ///
    /// # Errors
    /// The [`Problem`] of its options.
    pub fn unnamed(&mut self, options: &[f64], seed: u64) -> Result<u32, Box<Problem>> {
        let config = self.config(options)?;
        let breaker = Arc::new(CircuitBreaker::for_cells(config, seed));
        Ok(self.insert(breaker, 0))
    }

    /// The breaker of that name; `origin` as for [`Named::get_or_new`].
    ///
    /// # Errors
    /// The [`Problem`] of its options or of its name.
    pub fn named(
        &mut self,
        named: &mut Named,
        name: &str,
        options: &[f64],
        seed: u64,
        origin: i64,
    ) -> Result<u32, Box<Problem>> {
        let config = self.config(options)?;
        match named.find_or_make(name, config, seed, origin) {
            Some((breaker, shift)) => Ok(self.insert(breaker, shift)),
            None => Err(Box::new(Problem::new("name", Rule::SameOptions))),
        }
    }

    /// A breaker, with what its clock shows when the isolate's shows `now` ms.
    #[must_use]
    pub fn get(&self, handle: u32, now: f64) -> Option<(Arc<CircuitBreaker>, Instant)> {
        let entry = self.slab.get(handle)?;
        Some((Arc::clone(entry.breaker.as_ref()?), Instant::from_millis(now).shifted(entry.shift)))
    }

    /// Gives a breaker other options, the numbers of [`BreakerOptions`].
    ///
    /// # Errors
    /// The [`Problem`] of its options.
    pub fn update(&mut self, handle: u32, options: &[f64], now: f64) -> Result<(), Box<Problem>> {
        let config = self.config(options)?;
        let Some((breaker, now)) = self.get(handle, now) else { return Ok(()) };
        breaker.update(config, now).map_err(Box::new)
    }

    /// Isolates a breaker once more, or gives one isolation back. Those an isolate holds when it
    /// lets the breaker go are given back with it.
    pub fn hold(&mut self, handle: u32, now: f64, held: bool) {
        let Some((breaker, now)) = self.get(handle, now) else { return };
        let Some(entry) = self.slab.get_mut(handle) else { return };
        if held {
            entry.holds = entry.holds.saturating_add(1);
            breaker.isolate(now);
        } else if entry.holds > 0 {
            entry.holds = entry.holds.saturating_sub(1);
            breaker.release(now);
        }
    }

    /// Where a breaker's cell lies.
    #[must_use]
    pub fn place(&self, handle: u32) -> Option<Place> {
        self.slab.get(handle).map(|entry| entry.place)
    }

    /// A block of cells.
    #[must_use]
    pub fn block(&self, block: u32) -> Option<&Arc<Block>> {
        self.arena.block(block)
    }

    /// Lets a breaker go; what its cell still holds is taken in. The cell stays, asking for
    /// everything, until it is [forgotten](Self::forget): a call under way may yet look at it.
    pub fn free(&mut self, handle: u32) {
        if let Some(entry) = self.slab.get_mut(handle) {
            let_go(entry, &self.arena);
        }
    }

    /// Lets a breaker and its cell go, for when nobody can look at the cell any more.
    pub fn forget(&mut self, handle: u32) {
        self.free(handle);
        if let Some(entry) = self.slab.remove(handle) {
            self.arena.give_back(entry.place);
        }
    }

    /// Lets all breakers go, for the end of the isolate.
    pub fn clear(&mut self) {
        for mut entry in self.slab.drain() {
            let_go(&mut entry, &self.arena);
            self.arena.give_back(entry.place);
        }
    }

    /// How many breakers there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    fn config(&mut self, options: &[f64]) -> Result<Arc<BreakerConfig>, Box<Problem>> {
        let bits = options.iter().map(|number| number.to_bits());
        if let Some((last, config)) = &self.last
            && bits.clone().eq(last.iter().copied())
        {
            return Ok(Arc::clone(config));
        }
        let mut checks = Checks::new();
        let config = Arc::new(numbers::read::<BreakerOptions>(options).config(&mut checks));
        checks.passed()?;
        self.last = Some((bits.collect(), Arc::clone(&config)));
        Ok(config)
    }

    fn insert(&mut self, breaker: Arc<CircuitBreaker>, shift: i64) -> u32 {
        let place = self.arena.take();
        if let Some(block) = self.arena.block(place.block) {
            breaker.attach(Arc::clone(block), place.index, shift);
        }
        self.slab.insert(Entry { breaker: Some(breaker), place, shift, holds: 0 })
    }
}

fn let_go(entry: &mut Entry, arena: &Arena) {
    if let Some(breaker) = entry.breaker.take()
        && let Some(block) = arena.block(entry.place.block)
    {
        breaker.detach(block, entry.place.index);
        breaker.release_some(entry.holds);
    }
}
