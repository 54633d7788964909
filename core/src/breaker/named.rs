//! Breakers known by a name: one for each name, with one set of options.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use super::circuit::CircuitBreaker;
use super::config::BreakerConfig;
use crate::options::{Problem, Rule};

/// The breakers with a name. A name is free again when nobody holds its breaker any more.
///
/// A list in order of the names: looked through at constructions only, and a tenth of a tree's
/// size in WASM.
#[derive(Debug, Default)]
pub struct Named(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    breaker: Weak<CircuitBreaker>,
    origin: i64,
}

impl Named {
    /// No names.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The breaker of that name, made if there is none, and by how many nanoseconds its clock
    /// is ahead of the caller's. `origin` is where the caller's clock began, on any clock that
    /// all callers share.
    ///
    /// # Errors
    /// A [`Problem`] with `name` if the name stands for a breaker with other options, or that of
    /// the options.
    pub fn get_or_new(
        &mut self,
        name: &str,
        config: Arc<BreakerConfig>,
        seed: u64,
        origin: i64,
    ) -> Result<(Arc<CircuitBreaker>, i64), Problem> {
        config.validate()?;
        self.find_or_make(name, config, seed, origin).ok_or(Problem::new("name", Rule::SameOptions))
    }

    /// The same of options that were validated before; `None` where the name has others.
    pub(crate) fn find_or_make(
        &mut self,
        name: &str,
        config: Arc<BreakerConfig>,
        seed: u64,
        origin: i64,
    ) -> Option<(Arc<CircuitBreaker>, i64)> {
        let place = self.0.partition_point(|entry| entry.name.as_ref() < name);
        if let Some(entry) = self.0.get(place)
            && entry.name.as_ref() == name
            && let Some(breaker) = entry.breaker.upgrade()
        {
            let same = breaker.config() == config;
            return same.then(|| (breaker, origin.saturating_sub(entry.origin)));
        }
        let breaker = Arc::new(CircuitBreaker::for_cells(config, seed));
        let mut entry = Entry { name: name.into(), breaker: Arc::downgrade(&breaker), origin };
        let mut place = place;
        // `insert` would panic past the end, and bring the words for it into the WASM.
        while let Some(later) = self.0.get_mut(place) {
            core::mem::swap(later, &mut entry);
            place = place.saturating_add(1);
        }
        self.0.push(entry);
        self.0.retain(|entry| entry.breaker.strong_count() > 0);
        Some((breaker, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::TripRule;

    #[test]
    fn a_name_is_one_breaker_until_nobody_holds_it() {
        let mut named = Named::new();
        let config = Arc::new(BreakerConfig::default());
        let (a, _) = named.get_or_new("a", Arc::clone(&config), 0, 100).unwrap();
        let (b, shift) = named.get_or_new("a", Arc::clone(&config), 0, 150).unwrap();
        assert!(Arc::ptr_eq(&a, &b));
        assert_eq!(shift, 50);

        let other = BreakerConfig { trip: TripRule::Consecutive(2), ..BreakerConfig::default() };
        let refused = named.get_or_new("a", Arc::new(other.clone()), 0, 0).unwrap_err();
        assert_eq!(refused, Problem::new("name", Rule::SameOptions));

        drop((a, b));
        assert!(named.get_or_new("a", Arc::new(other), 0, 0).is_ok());
    }
}
