//! A breaker for each key, as many as there is room for.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;

use super::circuit::CircuitBreaker;
use super::config::BreakerConfig;
use crate::door::Slab;
use crate::options::{Problem, Rule};
use crate::rotation::{Activity, Rotation};
use crate::sync::{Mutex, lock};
use crate::time::Instant;

/// Breakers by key (a host, a route, a tenant), all with the same options, bounded in number.
///
/// When there is no room for a new key, one that has not been asked for lately is let go, a closed
/// one before any that is not. Keys unused for the idle time go as others come; nothing needs a
/// timer.
///
/// ```
/// use std::time::Duration;
/// use seawall::Instant;
/// use seawall::breaker::{BreakerConfig, Registry};
///
/// let hosts = Registry::new(BreakerConfig::default(), 1000, Duration::from_secs(600))?;
/// let breaker = hosts.get("db-1.internal", Instant::ZERO);
/// assert!(breaker.call(&Instant::ZERO, || Ok::<_, ()>(1)).is_ok());
/// assert_eq!(hosts.len(), 1);
/// # Ok::<(), seawall::options::Problem>(())
/// ```
#[derive(Debug)]
pub struct Registry {
    config: Arc<BreakerConfig>,
    keys: Mutex<Keys>,
}

#[derive(Debug)]
struct Keys {
    by_key: BTreeMap<Box<str>, u32>,
    entries: Slab<Entry>,
    rotation: Rotation,
    made: u64,
}

#[derive(Debug)]
struct Entry {
    key: Box<str>,
    breaker: Arc<CircuitBreaker>,
    uses: u64,
}

impl Registry {
    /// No breakers yet, and never more than `most`.
    ///
    /// # Errors
    /// The [`Problem`] of the options, or with `max` if `most` is 0.
    pub fn new(config: BreakerConfig, most: u32, idle: Duration) -> Result<Self, Problem> {
        config.validate()?;
        if most == 0 {
            return Err(Problem::limit("max", Rule::IntegerAtLeast, 1.0));
        }
        let rotation = Rotation::new(most, idle);
        let keys = Keys { by_key: BTreeMap::new(), entries: Slab::new(), rotation, made: 0 };
        Ok(Self { config: Arc::new(config), keys: Mutex::new(keys) })
    }

    /// The breaker of `key`, made if there is none. Whoever holds it may go on using it after it
    /// was let go.
    #[must_use]
    pub fn get(&self, key: &str, now: Instant) -> Arc<CircuitBreaker> {
        let mut keys = lock(&self.keys);
        let keys = &mut *keys;
        if let Some(entry) = keys.by_key.get(key).and_then(|id| keys.entries.get_mut(*id)) {
            entry.uses = entry.uses.wrapping_add(1);
            return Arc::clone(&entry.breaker);
        }
        keys.made = keys.made.wrapping_add(1);
        let breaker = Arc::new(CircuitBreaker::of_valid(Arc::clone(&self.config), keys.made));
        let entry = Entry { key: key.into(), breaker: Arc::clone(&breaker), uses: 0 };
        let id = keys.entries.insert(entry);
        keys.by_key.insert(key.into(), id);
        let mut gone = alloc::vec::Vec::new();
        let entries = &keys.entries;
        let activity = |id| {
            entries.get(id).map_or(Activity { uses: 0, holds: false }, |entry| Activity {
                uses: entry.uses,
                holds: !entry.breaker.is_idle(),
            })
        };
        keys.rotation.add(id, now, activity, |id| gone.push(id));
        for id in gone {
            if let Some(entry) = keys.entries.remove(id) {
                keys.by_key.remove(&entry.key);
            }
        }
        breaker
    }

    /// How many breakers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.keys).by_key.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_breaker_and_the_cap_holds() {
        let registry =
            Registry::new(BreakerConfig::default(), 10, Duration::from_secs(60)).unwrap();
        let a = registry.get("a", Instant::ZERO);
        assert!(Arc::ptr_eq(&a, &registry.get("a", Instant::ZERO)));
        a.force_open(Instant::ZERO, 0.0);
        for i in 0..1000u32 {
            let _ = registry.get(&alloc::format!("{i}"), Instant::ZERO);
            assert!(registry.len() <= 10);
        }
        assert!(Arc::ptr_eq(&a, &registry.get("a", Instant::ZERO)), "an open breaker stays");
    }
}
