//! One execution for parallel calls of the same key.

mod flight;

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use self::flight::{Flight, Joined};
use super::clock;
use crate::Instant;
use crate::coalesce::Sharing;
use crate::sync::lock;

/// Lets parallel calls with the same key share one execution; clones are the same coalescer.
///
/// The execution belongs to all who wait for it and is driven by them, so it needs no task: whoever
/// asked first may leave like any other, and when the last one leaves it is dropped. A failure is
/// the failure of all, and is not kept. An execution must not wait for its own key, which would be
/// for itself.
///
/// **When not.** For calls that change something: two payments are not one.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use seawall::tokio::Coalesce;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// static FETCHED: AtomicU32 = AtomicU32::new(0);
/// async fn fetch() -> Result<u32, std::fmt::Error> {
///     tokio::task::yield_now().await;
///     Ok(FETCHED.fetch_add(1, Ordering::Relaxed))
/// }
/// let users = Coalesce::new();
/// let both = tokio::join!(users.call("user 7", fetch), users.call("user 7", fetch));
/// assert_eq!(both, (Ok(0), Ok(0)));
/// assert_eq!(users.call("user 7", fetch).await, Ok(1));
/// # }
/// ```
#[derive(Debug)]
pub struct Coalesce<K, T, E>(Arc<Flights<K, T, E>>);

impl<K, T, E> Clone for Coalesce<K, T, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

type ByKey<K, T, E> = HashMap<K, Arc<Flight<T, E>>>;

#[derive(Debug)]
struct Flights<K, T, E> {
    by_key: Mutex<ByKey<K, T, E>>,
    sharing: Sharing,
}

impl<K, T, E> Default for Coalesce<K, T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, T, E> Coalesce<K, T, E> {
    /// At most 10,000 shared executions at a time, joined within 60 seconds of their beginning.
    #[must_use]
    pub fn new() -> Self {
        Self::within(Sharing::default())
    }

    /// At most `most` shared executions at a time: a call beyond that is executed for its caller
    /// alone. One that began longer ago than `join_within` is joined by nobody any more, so that one
    /// which hangs does not hold its key for ever (`Duration::MAX`: no limit).
    #[must_use]
    pub fn bounded(most: usize, join_within: Duration) -> Self {
        Self::within(Sharing { most, join_within })
    }

    /// The same with limits from [`CoalesceOptions`](crate::coalesce::CoalesceOptions).
    #[must_use]
    pub fn within(sharing: Sharing) -> Self {
        Self(Arc::new(Flights { by_key: Mutex::default(), sharing }))
    }

    /// How many executions are shared just now.
    #[must_use]
    pub fn running(&self) -> usize {
        lock(&self.0.by_key).len()
    }
}

impl<K, T, E> Coalesce<K, T, E>
where
    K: Eq + Hash + Clone,
    T: Clone,
    E: Clone,
{
    /// The result of the execution under way for `key`, or of the future that `call` makes if there
    /// is none. `call` is asked once more only where the execution it had joined has panicked in the
    /// hands of another caller.
    ///
    /// # Errors
    /// That of the execution. An error that cannot be cloned can be shared in an [`Arc`].
    pub async fn call<F>(&self, key: K, mut call: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        loop {
            let Some(joined) = self.join(&key, &mut call) else { return call().await };
            if let Some(result) = joined.await {
                return result;
            }
        }
    }

    /// Lets nobody join the execution under way for `key` any more, as after a change of what it
    /// fetches; those who wait for it go on waiting. Whether there was one.
    ///
    /// One that `call` made before this, but that was not under way yet, counts as begun afterwards.
    /// Those that were forgotten count neither in [`running`](Self::running) nor among the `most` of
    /// [`bounded`](Self::bounded).
    pub fn forget(&self, key: &K) -> bool {
        let gone = lock(&self.0.by_key).remove_entry(key);
        gone.is_some()
    }

    /// A place among those who wait for the execution, or none where there are too many.
    fn join<F>(&self, key: &K, call: &mut impl FnMut() -> F) -> Option<Joined<'_, K, T, E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (now, own) = (clock::now(), key.clone());
        let mut by_key = lock(&self.0.by_key);
        if let Some(flight) = self.0.known(&by_key, key, now) {
            return Some(self.0.seat(by_key, own, flight));
        }
        if !self.0.sharing.has_room(by_key.len()) && !by_key.contains_key(key) {
            return None;
        }
        // Not under the lock: making it and its key, and dropping them, is the caller's code.
        drop(by_key);
        let (kept, new) = (key.clone(), Arc::new(Flight::new(now, Box::pin(call()))));
        by_key = lock(&self.0.by_key);
        // Another one may have been quicker.
        if let Some(flight) = self.0.known(&by_key, key, now) {
            return Some(self.0.seat(by_key, own, flight));
        }
        let before = by_key.remove_entry(key);
        by_key.insert(kept, Arc::clone(&new));
        let joined = self.0.seat(by_key, own, new);
        drop(before);
        Some(joined)
    }
}

impl<K: Eq + Hash, T, E> Flights<K, T, E> {
    /// The execution that may be joined.
    fn known(&self, by_key: &ByKey<K, T, E>, key: &K, now: Instant) -> Option<Arc<Flight<T, E>>> {
        let flight = by_key.get(key)?;
        let is_young = self.sharing.may_join(now.since(flight.began));
        (is_young && !flight.is_over()).then(|| Arc::clone(flight))
    }

    /// A seat in an execution, taken before anybody else can give it up.
    fn seat(
        &self,
        by_key: MutexGuard<'_, ByKey<K, T, E>>,
        key: K,
        flight: Arc<Flight<T, E>>,
    ) -> Joined<'_, K, T, E> {
        let seat = flight.sit_down();
        drop(by_key);
        Joined { flights: self, key, flight, seat }
    }

    /// One leaves, whether or not there is a result.
    fn leave(&self, key: &K, flight: &Arc<Flight<T, E>>, seat: usize) {
        // Under the lock of the keys, so that nobody joins what is given up.
        let mut by_key = lock(&self.by_key);
        let (is_last, waker) = flight.stand_up(seat);
        let gone = (is_last || flight.is_over())
            && by_key.get(key).is_some_and(|other| Arc::ptr_eq(other, flight));
        let gone = if gone { by_key.remove_entry(key) } else { None };
        drop(by_key);
        drop(gone);
        drop(waker);
    }
}
