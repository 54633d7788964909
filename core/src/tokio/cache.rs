//! Answers that are kept.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::clock;
use super::setup::Setup;
use crate::cache::{Freshness, Lifetimes, LifetimesConfig};
use crate::options::{Problem, Rule};
use crate::rotation::{Activity, Rotation};
use crate::sync::lock;
use crate::{Instant, Rng};

/// Answers by key, aged by [`Lifetimes`] and bounded in number; clones are the same cache.
///
/// No task is spawned: a stale answer is fetched anew by the call that finds it so first, while all
/// others are given the stale one at once. Where a fetch fails and the old answer is good enough for
/// that, it is the answer.
///
/// **When not.** As the only place where data lives: what is kept here may be gone at any time.
/// Parallel calls for an answer that is not there fetch it each, unless they are put together by
/// [`Coalesce`](super::Coalesce); [`Answers`](super::Answers) does both.
///
/// ```
/// use std::time::Duration;
/// use seawall::cache::LifetimesConfig;
/// use seawall::tokio::Cache;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lifetimes = LifetimesConfig {
///     stale_if_error: Duration::from_secs(600),
///     ..LifetimesConfig::new(Duration::from_secs(60))
/// };
/// let prices = Cache::new(lifetimes, 1_000)?;
/// assert_eq!(prices.call("tea", || async { Ok::<_, std::fmt::Error>(3) }).await, Ok(3));
/// assert_eq!(prices.call("tea", || async { Ok::<_, std::fmt::Error>(4) }).await, Ok(3));
///
/// tokio::time::advance(Duration::from_secs(61)).await;
/// assert_eq!(prices.call("tea", || async { Err(std::fmt::Error) }).await, Ok(3));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Cache<K, T>(Arc<Shared<K, T>>);

impl<K, T> Clone for Cache<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Shared<K, T> {
    lifetimes: Lifetimes,
    state: Mutex<State<K, T>>,
}

#[derive(Debug)]
struct State<K, T> {
    by_key: HashMap<K, u32>,
    entries: Vec<Entry<K, T>>,
    free: Vec<u32>,
    /// What is being fetched.
    flying: HashMap<K, Flying>,
    rotation: Rotation,
    rng: Rng,
    seen: CacheExplanation,
}

/// Fetches for a key.
#[derive(Debug, Default)]
struct Flying {
    under_way: usize,
    /// How often the answer was kept or forgotten by hand meanwhile: what a fetch that began before
    /// that brings is not kept.
    changes: u64,
}

#[derive(Debug)]
struct Entry<K, T> {
    key: Option<K>,
    kept: Option<Kept<T>>,
    uses: u64,
    /// Somebody fetches it anew.
    refreshed: bool,
}

#[derive(Debug, Clone)]
struct Kept<T> {
    value: T,
    stored: Instant,
    lifespan: Duration,
}

/// A key, an answer, or both, kept no more.
type One<K, T> = (Option<K>, Option<Kept<T>>);
/// What goes for an answer that comes: the one before it, and those that make room.
type Gone<K, T> = (Option<One<K, T>>, Vec<One<K, T>>);

/// What a [`Cache`] has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheExplanation {
    /// Answers that are kept, some perhaps too old to be of use.
    pub entries: usize,
    /// Calls that were given a fresh answer so far.
    pub hits: u64,
    /// Calls that were given a stale one: while it was fetched anew, or as that failed.
    pub stale: u64,
    /// Calls that had to fetch.
    pub misses: u64,
    /// Answers that were let go to make room.
    pub evictions: u64,
}

/// What a call finds.
enum Found<'a, K: Eq + Hash, T> {
    Answer(T),
    Fetch(Fetch<'a, K, T>),
}

impl<K: Eq + Hash + Clone, T: Clone> Cache<K, T> {
    /// A cache of at most `most` answers.
    ///
    /// # Errors
    /// A jitter outside 0 to 1; `max` if `most` is 0.
    pub fn new(lifetimes: LifetimesConfig, most: u32) -> Result<Self, Problem> {
        Self::with(lifetimes, most, &Setup::default())
    }

    /// The same with a seed for the jitter.
    ///
    /// # Errors
    /// A jitter outside 0 to 1; `max` if `most` is 0.
    pub fn with(config: LifetimesConfig, most: u32, setup: &Setup) -> Result<Self, Problem> {
        let lifetimes = Lifetimes::new(config)?;
        if most == 0 {
            return Err(Problem::limit("max", Rule::IntegerAtLeast, 1.0));
        }
        let state = Mutex::new(State {
            by_key: HashMap::new(),
            entries: Vec::new(),
            free: Vec::new(),
            flying: HashMap::new(),
            rotation: Rotation::new(most, lifetimes.kept(config.ttl)),
            rng: setup.rng(),
            seen: CacheExplanation::default(),
        });
        Ok(Self(Arc::new(Shared { lifetimes, state })))
    }

    /// The answer for `key`, or that of the future that `call` makes where there is none or it is
    /// too old. What it answers is not kept where the answer was [inserted](Self::insert) or
    /// [forgotten](Self::forget) meanwhile: it may be from before that.
    ///
    /// # Errors
    /// That of the call, where no old answer is good enough.
    pub async fn call<E, F>(&self, key: K, call: impl FnOnce() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let fetch = match self.find(key) {
            Found::Answer(value) => return Ok(value),
            Found::Fetch(fetch) => fetch,
        };
        match call().await {
            Ok(value) => {
                self.put(fetch.key.clone(), value.clone(), None, Some(fetch.changes));
                Ok(value)
            }
            Err(error) => fetch.instead().ok_or(error),
        }
    }

    fn find(&self, key: K) -> Found<'_, K, T> {
        let now = clock::now();
        let mut state = lock(&self.0.state);
        let State { by_key, entries, flying, seen, .. } = &mut *state;
        let entry = by_key.get(&key).and_then(|id| entries.get_mut(*id as usize));
        let (old, refreshed) = match entry {
            Some(Entry { kept: Some(kept), uses, refreshed, .. }) => {
                *uses = uses.wrapping_add(1);
                match self.0.lifetimes.judge(kept.stored, now, kept.lifespan) {
                    Freshness::Fresh => {
                        seen.hits = seen.hits.saturating_add(1);
                        return Found::Answer(kept.value.clone());
                    }
                    Freshness::Stale if *refreshed => {
                        seen.stale = seen.stale.saturating_add(1);
                        return Found::Answer(kept.value.clone());
                    }
                    Freshness::Stale => (Some(kept.clone()), Some(refreshed)),
                    Freshness::OnError => (Some(kept.clone()), None),
                    Freshness::Expired => (None, None),
                }
            }
            _ => (None, None),
        };
        // Cloned only where it is kept, since the clone would be dropped under the lock; and before
        // anything is noted, should that panic.
        let changes = match flying.get_mut(&key) {
            Some(others) => {
                others.under_way = others.under_way.saturating_add(1);
                others.changes
            }
            None => {
                flying.insert(key.clone(), Flying { under_way: 1, changes: 0 });
                0
            }
        };
        let refreshing = refreshed.is_some();
        if let Some(refreshed) = refreshed {
            *refreshed = true;
        }
        seen.misses = seen.misses.saturating_add(1);
        Found::Fetch(Fetch { cache: self, key, changes, refreshing, old })
    }

    /// The answer for `key` if it is fresh.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<T> {
        let now = clock::now();
        let State { by_key, entries, .. } = &mut *lock(&self.0.state);
        let Entry { kept, uses, .. } = entries.get_mut(*by_key.get(key)? as usize)?;
        let kept = kept.as_ref()?;
        let freshness = self.0.lifetimes.judge(kept.stored, now, kept.lifespan);
        *uses = uses.wrapping_add(1);
        (freshness == Freshness::Fresh).then(|| kept.value.clone())
    }

    /// Keeps an answer, fresh for `ttl` (`None`: as long as the cache's answers are).
    pub fn insert(&self, key: K, value: T, ttl: Option<Duration>) {
        self.put(key, value, ttl, None);
    }

    /// The same for a fetch that began after so many changes, and comes too late after another.
    fn put(&self, key: K, value: T, ttl: Option<Duration>, fetched: Option<u64>) {
        let now = clock::now();
        let mut state = lock(&self.0.state);
        if !state.is_current(&key, fetched) {
            return;
        }
        let lifespan = self.0.lifetimes.lifespan(ttl, &mut state.rng);
        if !self.0.lifetimes.kept(lifespan).is_zero() {
            let gone = state.keep(key, Kept { value, stored: now, lifespan }, now);
            // What comes of dropping it is not this cache's to know.
            drop(state);
            drop(gone);
        }
    }

    /// Forgets the answer for `key`; whether there was one.
    pub fn forget(&self, key: &K) -> bool {
        let mut state = lock(&self.0.state);
        state.is_current(key, None);
        let State { by_key, entries, .. } = &mut *state;
        // Its place goes when the hand comes by: nobody uses it.
        let entry = by_key.get(key).and_then(|id| entries.get_mut(*id as usize));
        let kept = entry.and_then(|entry| entry.kept.take());
        drop(state);
        kept.is_some()
    }

    /// What it has done.
    #[must_use]
    pub fn explain(&self) -> CacheExplanation {
        let state = lock(&self.0.state);
        CacheExplanation { entries: state.rotation.len(), ..state.seen }
    }
}

impl<K: Eq + Hash + Clone, T> State<K, T> {
    /// Whether what a fetch brings that began after so many changes is still of use; `None` is a
    /// change, and of use in any case.
    fn is_current(&mut self, key: &K, fetched: Option<u64>) -> bool {
        let Some(flying) = self.flying.get_mut(key) else { return true };
        if fetched.is_none() {
            flying.changes = flying.changes.wrapping_add(1);
        }
        fetched.is_none_or(|changes| changes == flying.changes)
    }

    /// Keeps an answer; what goes for it, to be dropped where nothing is locked.
    #[must_use]
    fn keep(&mut self, key: K, kept: Kept<T>, now: Instant) -> Gone<K, T> {
        let known = self.by_key.get(&key).and_then(|id| self.entries.get_mut(*id as usize));
        if let Some(entry) = known {
            entry.uses = entry.uses.wrapping_add(1);
            return (Some((Some(key), entry.kept.replace(kept))), Vec::new());
        }
        let Self { by_key, entries, free, rotation, seen, .. } = self;
        let new = entries.len();
        let id = free.pop().unwrap_or_else(|| u32::try_from(new).unwrap_or(u32::MAX));
        let entry = Entry { key: Some(key.clone()), kept: Some(kept), uses: 0, refreshed: false };
        match entries.get_mut(id as usize) {
            Some(place) => *place = entry,
            None => entries.push(entry),
        }
        let uses = |id| entries.get(id as usize).map_or(0, |entry: &Entry<K, T>| entry.uses);
        let mut ids = Vec::new();
        rotation.add(id, now, |id| Activity { uses: uses(id), holds: false }, |id| ids.push(id));
        let mut gone = Vec::new();
        for id in ids {
            let Some(entry) = entries.get_mut(id as usize) else { continue };
            let key = entry.key.take();
            let known = key.as_ref().and_then(|key| by_key.remove_entry(key));
            gone.push((key, entry.kept.take()));
            gone.extend(known.map(|(key, _)| (Some(key), None)));
            free.push(id);
            seen.evictions = seen.evictions.saturating_add(1);
        }
        by_key.insert(key, id);
        (None, gone)
    }
}

/// An answer on its way, or given up.
struct Fetch<'a, K: Eq + Hash, T> {
    cache: &'a Cache<K, T>,
    key: K,
    /// [`Flying::changes`] when it began.
    changes: u64,
    /// Others are given the stale answer meanwhile.
    refreshing: bool,
    old: Option<Kept<T>>,
}

impl<K: Eq + Hash + Clone, T: Clone> Fetch<'_, K, T> {
    /// What is kept now, or else the old answer, unless it was forgotten meanwhile; where that is good
    /// enough still.
    fn instead(&self) -> Option<T> {
        let (now, shared) = (clock::now(), &self.cache.0);
        let mut state = lock(&shared.state);
        let is_current = state.is_current(&self.key, Some(self.changes));
        let State { by_key, entries, seen, .. } = &mut *state;
        let kept = by_key.get(&self.key).and_then(|id| entries.get(*id as usize)?.kept.as_ref());
        let kept = kept.or_else(|| self.old.as_ref().filter(|_| is_current))?;
        if shared.lifetimes.judge(kept.stored, now, kept.lifespan) == Freshness::Expired {
            return None;
        }
        seen.stale = seen.stale.saturating_add(1);
        Some(kept.value.clone())
    }
}

impl<K: Eq + Hash, T> Drop for Fetch<'_, K, T> {
    fn drop(&mut self) {
        let mut state = lock(&self.cache.0.state);
        let State { by_key, entries, flying, .. } = &mut *state;
        let entry = by_key.get(&self.key).and_then(|id| entries.get_mut(*id as usize));
        if let Some(entry) = entry.filter(|_| self.refreshing) {
            entry.refreshed = false;
        }
        let mut gone = None;
        if let Some(others) = flying.get_mut(&self.key) {
            others.under_way = others.under_way.saturating_sub(1);
            if others.under_way == 0 {
                gone = flying.remove_entry(&self.key);
            }
        }
        drop(state);
        drop(gone);
    }
}
