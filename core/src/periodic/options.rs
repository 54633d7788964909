//! The options of a periodic job as they come from JavaScript or a file.

use core::time::Duration;

use super::{Offset, Periodic, PeriodicConfig};
use crate::fields::Checks;
use crate::options::{Problem, Rule};
use crate::{Instant, Rng};

/// A periodic job in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct PeriodicOptions {
    /// From one run to the next in ms; above 0. Required.
    pub period_ms: Option<f64>,
    /// How much after the start the grid begins, in ms. Default: drawn.
    pub offset_ms: Option<f64>,
    /// How far a run may lie from its grid point, as a share of the period from
    /// 0 to 0.5. Default 0.
    pub jitter: Option<f64>,
}

impl PeriodicOptions {
    /// The job they describe, counted from `now`.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self, now: Instant, rng: Rng) -> Result<Periodic, Problem> {
        let mut checks = Checks::new();
        let job = self.make(now, rng, &mut checks);
        checks.finish(job)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, now: Instant, rng: Rng, checks: &mut Checks) -> Periodic {
        checks.limit(self.period_ms.is_some(), "periodMs", Rule::Above, 0.0);
        let period = checks.millis_or("periodMs", self.period_ms, Duration::ZERO);
        let offset = checks.millis("offset", self.offset_ms);
        let offset = offset.map_or(Offset::Random, Offset::Fixed);
        let config = PeriodicConfig { period, offset, jitter: self.jitter.unwrap_or(0.0) };
        Periodic::checked(config, now, rng, checks)
    }
}
