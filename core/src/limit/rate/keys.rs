//! A limiter for each key, as many as there is room for.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::Plan;
use super::limiter::State;
use super::{Decision, RateConfig, RateExplanation, Refusal};
use crate::fields::Checks;
use crate::options::Problem;
use crate::time::{Instant, millis};

/// Limiters by key (a user, a host, a tenant), all with the same options, bounded in number.
///
/// When there is no room for a new key, one of 16 is let go: one that has all its permits before
/// one that has not, as that one would have them again if it came back, and among these the one
/// unused for longest. Keys unused for the idle time go as others come; nothing needs a timer.
///
/// ```
/// use std::time::Duration;
/// use seawall::Instant;
/// use seawall::limit::rate::{KeyedRateLimiter, RateConfig};
///
/// let config = RateConfig::new(1, Duration::from_secs(1));
/// let mut users = KeyedRateLimiter::new(config, 10_000, Duration::from_secs(600))?;
/// assert!(users.try_acquire("alice", 1, Instant::ZERO).is_granted());
/// assert!(!users.try_acquire("alice", 1, Instant::ZERO).is_granted());
/// assert!(users.try_acquire("bob", 1, Instant::ZERO).is_granted());
/// # Ok::<(), seawall::options::Problem>(())
/// ```
#[derive(Debug)]
pub struct KeyedRateLimiter {
    keys: Keys,
    ids: BTreeMap<Box<str>, u32>,
    names: BTreeMap<u32, Box<str>>,
}

impl KeyedRateLimiter {
    /// No keys yet, and never more than `most`; those unused for `idle` go as others come.
    ///
    /// # Errors
    ///
    /// The first option that is out of range; `max` if `most` is 0.
    pub fn new(config: RateConfig, most: u32, idle: Duration) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let keys = Keys::of(config, most.into(), millis(idle), &mut checks);
        checks.finish(Self { keys, ids: BTreeMap::new(), names: BTreeMap::new() })
    }

    /// [`RateLimiter::try_acquire`](super::RateLimiter::try_acquire) of `key`.
    pub fn try_acquire(&mut self, key: &str, permits: u32, now: Instant) -> Decision {
        let id = self.id(key, now);
        self.keys.acquire(id, permits, Duration::ZERO, now)
    }

    /// [`RateLimiter::retry_after`](super::RateLimiter::retry_after) of `key`.
    #[must_use]
    pub fn retry_after(&mut self, key: &str, permits: u32, now: Instant) -> Option<Duration> {
        let id = self.id(key, now);
        self.keys.retry_after(id, permits, now)
    }

    /// [`RateLimiter::hold`](super::RateLimiter::hold) of `key`.
    pub fn hold(&mut self, key: &str, until: Instant, now: Instant) {
        let id = self.id(key, now);
        self.keys.hold(id, until);
    }

    /// [`RateLimiter::update`](super::RateLimiter::update) of all keys.
    ///
    /// # Errors
    ///
    /// The first option that is out of range; nothing has changed then.
    pub fn update(&mut self, config: RateConfig, now: Instant) -> Result<(), Problem> {
        let mut checks = Checks::new();
        self.keys.update(config, &mut checks, now);
        checks.finish(())
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn id(&mut self, key: &str, now: Instant) -> u32 {
        if let Some(id) = self.ids.get(key) {
            return *id;
        }
        let id = self.keys.add(now);
        while let Some(gone) = self.keys.gone() {
            if let Some(name) = self.names.remove(&gone) {
                self.ids.remove(&name);
            }
        }
        self.ids.insert(key.into(), id);
        self.names.insert(id, key.into());
        id
    }
}

/// How many keys are looked at for each that is added.
const LOOKS: usize = 16;

/// Limiters by number, for whoever has the keys elsewhere.
///
/// The least recently used of a few, as Redis does it: a list in the order of use would be written
/// to at each call, and a hand that passes over what was used ("CLOCK") forgets how long ago while
/// most keys are in use.
#[doc(hidden)]
#[derive(Debug)]
pub struct Keys {
    plan: Plan,
    states: Vec<Option<State>>,
    free: Vec<u32>,
    gone: Vec<u32>,
    most: usize,
    idle: Duration,
    hand: usize,
}

impl Keys {
    /// No limiters yet, `max` at most, of which those unused for `idle_ms` go.
    #[must_use]
    pub fn of(config: RateConfig, max: f64, idle_ms: f64, checks: &mut Checks) -> Self {
        Self {
            plan: config.plan(checks),
            states: Vec::new(),
            free: Vec::new(),
            gone: Vec::new(),
            most: checks.count("max", Some(max), 0) as usize,
            idle: checks.positive("idleMs", Some(idle_ms), Duration::ZERO),
            hand: 0,
        }
    }

    /// One more limiter: its number. Those let go for it are told by [`Keys::gone`].
    pub fn add(&mut self, now: Instant) -> u32 {
        self.make_room(now);
        let state = Some(State::new(self.plan.kind));
        if let Some(id) = self.free.pop()
            && let Some(place) = self.states.get_mut(id as usize)
        {
            *place = state;
            return id;
        }
        self.states.push(state);
        u32::try_from(self.states.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn make_room(&mut self, now: Instant) {
        let mut worst = None;
        for _ in 0..LOOKS.min(self.states.len()) {
            self.hand = self.hand.saturating_add(1);
            if self.hand >= self.states.len() {
                self.hand = 0;
            }
            let Some(Some(state)) = self.states.get_mut(self.hand) else { continue };
            let (rank, used) = state.worth(&self.plan, now);
            let id = u32::try_from(self.hand).unwrap_or(u32::MAX);
            if rank == 0 && now.since(used) >= self.idle {
                self.remove(id);
                self.gone.push(id);
            } else if worst.is_none_or(|(other, _)| (rank, used) < other) {
                worst = Some(((rank, used), id));
            }
        }
        if let Some((_, id)) = worst
            && self.free.is_empty()
            && self.states.len() >= self.most
        {
            self.remove(id);
            self.gone.push(id);
        }
    }

    /// One of those let go and not yet told of.
    pub fn gone(&mut self) -> Option<u32> {
        self.gone.pop()
    }

    /// Lets a limiter go.
    pub fn remove(&mut self, id: u32) {
        if let Some(place) = self.states.get_mut(id as usize)
            && place.is_some()
        {
            *place = None;
            self.free.push(id);
        }
    }

    fn get(&mut self, id: u32) -> Option<(&Plan, &mut State)> {
        let state = self.states.get_mut(id as usize)?.as_mut()?;
        Some((&self.plan, state))
    }

    /// [`RateLimiter::acquire`](super::RateLimiter::acquire).
    pub fn acquire(&mut self, id: u32, permits: u32, wait: Duration, now: Instant) -> Decision {
        match self.get(id) {
            Some((plan, state)) => state.acquire(plan, permits, wait, now),
            None => Decision::Refused(Refusal::Rate),
        }
    }

    /// [`RateLimiter::advance`](super::RateLimiter::advance).
    pub fn advance(&mut self, id: u32, permits: u32, now: Instant) -> Decision {
        match self.get(id) {
            Some((plan, state)) => state.advance(plan, permits, now),
            None => Decision::Refused(Refusal::Rate),
        }
    }

    /// [`RateLimiter::leave`](super::RateLimiter::leave).
    pub fn leave(&mut self, id: u32, permits: u32) {
        if let Some((_, state)) = self.get(id) {
            state.leave(permits);
        }
    }

    /// [`RateLimiter::retry_after`](super::RateLimiter::retry_after).
    pub fn retry_after(&mut self, id: u32, permits: u32, now: Instant) -> Option<Duration> {
        let (plan, state) = self.get(id)?;
        state.retry_after(plan, permits, now)
    }

    /// [`RateLimiter::hold`](super::RateLimiter::hold); until the origin of time it is
    /// [`RateLimiter::release`](super::RateLimiter::release).
    pub fn hold(&mut self, id: u32, until: Instant) {
        if let Some((_, state)) = self.get(id) {
            if until == Instant::ZERO { state.release() } else { state.hold(until) }
        }
    }

    /// [`RateLimiter::update`](super::RateLimiter::update) of all, unless a check fails.
    pub fn update(&mut self, config: RateConfig, checks: &mut Checks, now: Instant) {
        let plan = config.plan(checks);
        if !checks.have_passed() {
            return;
        }
        for state in self.states.iter_mut().flatten() {
            state.update(&self.plan, &plan, now);
        }
        self.plan = plan;
    }

    /// [`RateLimiter::explain`](super::RateLimiter::explain).
    pub fn explain(&mut self, id: u32, now: Instant) -> Option<RateExplanation> {
        let (plan, state) = self.get(id)?;
        Some(state.explain(plan, now))
    }
}
