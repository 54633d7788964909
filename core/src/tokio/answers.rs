//! A policy for calls whose answers may be shared.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use super::cache::Cache;
use super::coalesce::Coalesce;
use super::policy::Policy;
use crate::classify::{ByError, Judge};
use crate::error::Error;

type Fallback<T, E> = Arc<dyn Fn(&Error<E>) -> Option<T> + Send + Sync>;

/// A [`Policy`] for calls that have a key, and what may answer in its place: outside everything else
/// a fallback, within it a cache, and within that one execution for parallel calls of a key. Made by
/// [`Policy::answers`].
///
/// They stand by themselves since they know of values, where the rest of a policy knows of calls
/// only. Errors are shared by all who waited for them, so they come in an [`Arc`].
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use seawall::cache::LifetimesConfig;
/// use seawall::tokio::{Cache, Policy, Retry};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let prices = Policy::builder()
///     .deadline(Duration::from_secs(5))
///     .retry(Retry::new(Default::default())?)
///     .build()?
///     .answers()
///     .cached(Cache::new(LifetimesConfig::new(Duration::from_secs(60)), 1_000)?)
///     .coalesced()
///     .or_else(|_: &seawall::error::Error<io::Error>| Some(0));
///
/// async fn fetch() -> io::Result<u32> { Ok(3) }
/// async fn down() -> io::Result<u32> { Err(io::ErrorKind::TimedOut.into()) }
/// assert_eq!(prices.call("tea", fetch).await?, 3);
/// assert_eq!(prices.call("tea", down).await?, 3, "the one that is kept");
/// assert_eq!(prices.call("milk", down).await?, 0, "the fallback's");
/// # Ok(())
/// # }
/// ```
pub struct Answers<K, T, E> {
    policy: Policy,
    cache: Option<Cache<K, T>>,
    coalesce: Option<Coalesce<K, T, Arc<Error<E>>>>,
    fallback: Option<Fallback<T, E>>,
}

impl<K, T, E> Clone for Answers<K, T, E> {
    fn clone(&self) -> Self {
        let Self { policy, cache, coalesce, fallback } = self;
        Self {
            policy: policy.clone(),
            cache: cache.clone(),
            coalesce: coalesce.clone(),
            fallback: fallback.clone(),
        }
    }
}

impl<K, T, E> std::fmt::Debug for Answers<K, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl<K, T, E> Answers<K, T, E> {
    pub(super) const fn of(policy: Policy) -> Self {
        Self { policy, cache: None, coalesce: None, fallback: None }
    }

    /// Keeps answers. Failures are not kept.
    #[must_use]
    pub fn cached(self, cache: Cache<K, T>) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Makes parallel calls with the same key one, as [`Coalesce::new`] does.
    #[must_use]
    pub fn coalesced(self) -> Self {
        self.coalesced_by(Coalesce::new())
    }

    /// The same by a coalescer that has other limits, or is shared with others.
    #[must_use]
    pub fn coalesced_by(self, coalesce: Coalesce<K, T, Arc<Error<E>>>) -> Self {
        Self { coalesce: Some(coalesce), ..self }
    }

    /// Answers failures, refusals and time-outs for which `fallback` has something.
    #[must_use]
    pub fn or_else(
        self,
        fallback: impl Fn(&Error<E>) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        Self { fallback: Some(Arc::new(fallback)), ..self }
    }
}

impl<K, T, E> Answers<K, T, E>
where
    K: Eq + Hash + Clone,
    T: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// Forgets the answer for `key`, and lets nobody join what fetches it just now: whoever asks next
    /// gets an answer from after this. Whether one was kept.
    pub fn forget(&self, key: &K) -> bool {
        if let Some(coalesce) = &self.coalesce {
            coalesce.forget(key);
        }
        self.cache.as_ref().is_some_and(|cache| cache.forget(key))
    }

    /// The answer for `key`: what is kept, or what the future that `call` makes comes to behind the
    /// policy. The execution may outlive this call if others wait for it too.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn call<F, C>(&self, key: K, call: C) -> Result<T, Arc<Error<E>>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        C: FnMut() -> F + Clone + Send + 'static,
        E: std::error::Error,
    {
        self.call_judged(key, ByError, call).await
    }

    /// The same, where `judge` says what an end of the call means.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn call_judged<F, C, J>(&self, key: K, judge: J, call: C) -> Result<T, Arc<Error<E>>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        C: FnMut() -> F + Clone + Send + 'static,
        J: Judge<T, E> + Clone + Send + Sync + 'static,
    {
        let execution = || {
            let (policy, judge, call) = (self.policy.clone(), judge.clone(), call.clone());
            async move { policy.call_judged(judge, call).await.map_err(Arc::new) }
        };
        let shared = || async {
            match &self.coalesce {
                Some(coalesce) => coalesce.call(key.clone(), execution).await,
                None => execution().await,
            }
        };
        let result = match &self.cache {
            Some(cache) => cache.call(key.clone(), shared).await,
            None => shared().await,
        };
        let Err(error) = result else { return result };
        match self.fallback.as_ref().and_then(|fallback| fallback(&error)) {
            Some(value) => Ok(value),
            None => Err(error),
        }
    }
}
