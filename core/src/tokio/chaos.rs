//! Failing and delaying futures on purpose.

use std::future::Future;
use std::sync::{Arc, Mutex};

use ::tokio::time::sleep;

use super::setup::Setup;
use crate::Rng;
use crate::chaos::{self, ChaosConfig, Strike};
use crate::error::Error;
use crate::options::Problem;
use crate::sync::lock;

/// [`chaos::Chaos`] for futures; clones draw from the same generator.
///
/// ```
/// use seawall::chaos::ChaosConfig;
/// use seawall::error::Error;
/// use seawall::tokio::Chaos;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), seawall::options::Problem> {
/// let chaos = Chaos::new(ChaosConfig { enabled: true, ..ChaosConfig::failing(1.0) })?;
/// let struck = chaos.call(async { Ok::<_, std::io::Error>(1) }).await;
/// assert!(matches!(struck, Err(Error::Struck)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Chaos(Arc<(chaos::Chaos, Mutex<Rng>)>);

impl Chaos {
    /// The failures of `config`, which is not enabled unless it says so.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: ChaosConfig) -> Result<Self, Problem> {
        Self::with(config, Setup::default())
    }

    /// The failures of `config`, with a seed.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn with(config: ChaosConfig, setup: Setup) -> Result<Self, Problem> {
        Ok(Self(Arc::new((chaos::Chaos::new(config)?, Mutex::new(setup.rng())))))
    }

    /// Runs `future`, unless it is struck. There is no answer to give in its place, so
    /// [`Strike::Result`] fails it like [`Strike::Fault`].
    ///
    /// # Errors
    /// [`Error::Struck`], or [`Error::Failed`] with the error of `future`.
    pub async fn call<T, E>(
        &self,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error<E>> {
        self.strike().await?;
        future.await.map_err(Error::Failed)
    }

    pub(super) async fn strike<E>(&self) -> Result<(), Error<E>> {
        let strike = self.0.0.draw(&mut lock(&self.0.1));
        match strike {
            None => Ok(()),
            Some(Strike::Delay(delay)) => {
                sleep(delay).await;
                Ok(())
            }
            Some(Strike::Fault | Strike::Result) => Err(Error::Struck),
        }
    }
}
