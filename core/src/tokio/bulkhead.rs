//! Places for futures.

use std::future::Future;
use std::sync::Arc;

use super::places::{AcquirePlace, Place, Places, Ranked, run, ways_in};
use super::setup::Setup;
use crate::classify::ByResult;
use crate::error::{Error, Rejected};
use crate::limit::bulkhead::{self, BulkheadConfig, Explanation};
use crate::limit::priority::{Ask, Priorities};
use crate::options::Problem;
use crate::policy::Stage;

/// A [`bulkhead`] for futures; clones are the same bulkhead.
///
/// Who waits is served in the order of coming. A future that is dropped while it waits leaves the
/// queue, one that is dropped while it runs gives its place back.
///
/// ```
/// use seawall::error::Why;
/// use seawall::limit::bulkhead::BulkheadConfig;
/// use seawall::tokio::Bulkhead;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bulkhead = Bulkhead::new(BulkheadConfig::new(1))?;
/// let place = bulkhead.acquire().await?;
/// let refused = bulkhead.call(async { Ok::<_, std::io::Error>(1) }).await;
/// assert_eq!(refused.unwrap_err().rejected().map(|rejected| rejected.why), Some(Why::Full));
/// drop(place);
/// assert_eq!(bulkhead.call(async { Ok::<_, std::io::Error>(1) }).await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Bulkhead(Arc<Places>);

ways_in!(Bulkhead);

impl Bulkhead {
    /// An empty bulkhead.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: BulkheadConfig) -> Result<Self, Problem> {
        Self::with(config, Setup::default())
    }

    /// An empty bulkhead with a name.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn with(config: BulkheadConfig, setup: Setup) -> Result<Self, Problem> {
        let bulkhead = bulkhead::Bulkhead::new(config)?;
        Ok(Self(Places::new(bulkhead, None, setup.name.into(), Stage::Bulkhead)))
    }

    /// Runs `future` in a place.
    ///
    /// # Errors
    /// [`Error::Rejected`] without polling `future`, or [`Error::Failed`] with its error.
    pub async fn call<T, E>(
        &self,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error<E>> {
        run(&self.0, ByResult, future).await
    }

    /// Goes on by other limits: what runs goes on, who waits keeps the place, as long as the new time to
    /// wait allows.
    ///
    /// # Errors
    /// The first option that is out of range; nothing has changed then.
    pub fn update(&self, config: BulkheadConfig) -> Result<(), Problem> {
        self.0.renew(|state, _| state.bulkhead.update(config))
    }

    /// The bulkhead as it stands.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        self.0.change(|state, now| state.bulkhead.explain(now))
    }
}
