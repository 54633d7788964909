//! As many futures at a time as the other side bears.

use std::future::Future;
use std::sync::Arc;

use super::clock;
use super::places::{AcquirePlace, Place, Places, Ranked, run, ways_in};
use super::setup::Setup;
use crate::classify::{ByResult, Judge};
use crate::error::{Error, Rejected};
use crate::limit::adaptive::{self, AdaptiveConfig, AdaptiveLimiter};
use crate::limit::bulkhead::{Bulkhead, BulkheadConfig};
use crate::limit::priority::{Ask, Priorities};
use crate::options::Problem;
use crate::policy::Stage;

/// An [`AdaptiveLimiter`] for futures, with a queue; clones are the same limiter.
///
/// Calls that end by being dropped say nothing of the other side and give their places back.
///
/// ```
/// use seawall::limit::adaptive::AdaptiveConfig;
/// use seawall::tokio::Adaptive;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = Adaptive::new(AdaptiveConfig::default())?;
/// assert_eq!(limiter.call(async { Ok::<_, std::io::Error>(1) }).await?, 1);
/// assert_eq!(limiter.explain().limit, 20);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Adaptive(Arc<Places>);

ways_in!(Adaptive);

impl Adaptive {
    /// A limiter without a queue.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: AdaptiveConfig) -> Result<Self, Problem> {
        Self::with(config, Setup::default())
    }

    /// A limiter with a name or a seed, without a queue.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn with(config: AdaptiveConfig, setup: Setup) -> Result<Self, Problem> {
        let adaptive = AdaptiveLimiter::new(config, setup.draw(), clock::now())?;
        let bulkhead = Bulkhead::new(BulkheadConfig::new(adaptive.limit()))?;
        Ok(Self(Places::new(bulkhead, Some(adaptive), setup.name.into(), Stage::Adaptive)))
    }

    /// Lets up to `max_queue` calls wait, each for `queue_timeout` at most (`None`: without end); that
    /// holds for clones too, and for calls that wait already.
    ///
    /// # Errors
    /// The first option that is out of range; nothing has changed then.
    pub fn queueing(
        self,
        max_queue: u32,
        queue_timeout: Option<core::time::Duration>,
    ) -> Result<Self, Problem> {
        self.0.renew(|state, now| {
            let config = state.bulkhead.explain(now).config;
            state.bulkhead.update(BulkheadConfig { max_queue, queue_timeout, ..config })
        })?;
        Ok(self)
    }

    /// Runs `future` in a place, and takes `Err` as a failure.
    ///
    /// # Errors
    /// [`Error::Rejected`] without polling `future`, or [`Error::Failed`] with its error.
    pub async fn call<T, E>(
        &self,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error<E>> {
        self.call_judged(ByResult, future).await
    }

    /// The same, where `judge` says what an end of the call means.
    ///
    /// # Errors
    /// [`Error::Rejected`] without polling `future`, or [`Error::Failed`] with its error.
    pub async fn call_judged<T, E>(
        &self,
        judge: impl Judge<T, E>,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error<E>> {
        run(&self.0, judge, future).await
    }

    /// Goes on by other options; what was measured stays.
    ///
    /// # Errors
    /// The first option that is out of range; nothing has changed then.
    pub fn update(&self, config: AdaptiveConfig) -> Result<(), Problem> {
        self.0.change(|state, _| {
            let answer = match &mut state.adaptive {
                Some(adaptive) => adaptive.update(config),
                None => Ok(()),
            };
            state.follow();
            answer
        })
    }

    /// Why the limit is as it is.
    #[must_use]
    pub fn explain(&self) -> adaptive::Explanation {
        self.0.change(|state, now| match &state.adaptive {
            Some(adaptive) => adaptive.explain(now),
            None => adaptive::Explanation::default(),
        })
    }
}
