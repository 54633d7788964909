//! What every policy may be told beside its configuration.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};

use crate::Rng;

/// The name of a policy and the seed of what it draws.
///
/// ```
/// use seawall::breaker::BreakerConfig;
/// use seawall::tokio::{Breaker, Setup};
///
/// let breaker = Breaker::with(BreakerConfig::default(), Setup::named("orders").seed(7))?;
/// assert_eq!(breaker.name(), "orders");
/// # Ok::<(), seawall::options::Problem>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setup {
    pub(crate) name: Cow<'static, str>,
    pub(crate) seed: Option<u64>,
}

impl Setup {
    /// A name, under which events speak of it. Default none.
    #[must_use]
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), seed: None }
    }

    /// The seed of its generator: the same calls at the same times then end the same. Default one
    /// of the process.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    pub(crate) fn draw(&self) -> u64 {
        // The keys of a hasher are random, and all the standard library has of it.
        self.seed.unwrap_or_else(|| RandomState::new().hash_one(0))
    }

    pub(crate) fn rng(&self) -> Rng {
        Rng::new(self.draw())
    }
}
