//! The options of a cache as they come from JavaScript or a file.

use super::{Lifetimes, LifetimesConfig, TTL};
use crate::fields::Checks;
use crate::options::Problem;

/// A cache's times in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct CacheOptions {
    /// How long an answer is fresh, in ms. Default 600,000.
    pub ttl_ms: Option<f64>,
    /// How long after that it is given while a new one is fetched, in ms.
    /// Default 0.
    pub stale_while_revalidate_ms: Option<f64>,
    /// How long after it was fresh it is given where a new one cannot be had,
    /// in ms. Default 0.
    pub stale_if_error_ms: Option<f64>,
    /// By which share the time to live is shortened at most. Default 0.
    pub jitter: Option<f64>,
}

impl CacheOptions {
    /// The rule they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<Lifetimes, Problem> {
        let mut checks = Checks::new();
        let lifetimes = self.make(&mut checks);
        checks.finish(lifetimes)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> Lifetimes {
        let config = LifetimesConfig {
            ttl: checks.millis_or("ttlMs", self.ttl_ms, TTL),
            stale_while_revalidate: checks
                .millis("staleWhileRevalidateMs", self.stale_while_revalidate_ms)
                .unwrap_or_default(),
            stale_if_error: checks
                .millis("staleIfErrorMs", self.stale_if_error_ms)
                .unwrap_or_default(),
            jitter: self.jitter.unwrap_or(0.0),
        };
        Lifetimes::checked(config, checks)
    }
}
