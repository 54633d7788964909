//! An event loop that stands still now and then.

use core::time::Duration;

use super::uniform;
use crate::Rng;
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// One pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The time from now to its beginning.
    pub after: Duration,
    /// How long it lasts.
    pub lasts: Duration,
}

/// What a [`LoopPause`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopPauseConfig {
    /// The longest time between two pauses; each is uniform from nothing to
    /// this. Default 100 s.
    pub most_gap: Duration,
    /// The shortest pause. Default 1 s.
    pub least: Duration,
    /// The longest pause; not below the shortest. Default 5 s.
    pub most: Duration,
}

impl Default for LoopPauseConfig {
    fn default() -> Self {
        Self {
            most_gap: Duration::from_secs(100),
            least: Duration::from_secs(1),
            most: Duration::from_secs(5),
        }
    }
}

/// A plan of pauses. It keeps no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopPause {
    config: LoopPauseConfig,
}

impl LoopPause {
    /// The plan of `config`.
    ///
    /// # Errors
    ///
    /// A longest pause below the shortest.
    pub fn new(config: LoopPauseConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let plan = Self::checked(config, &mut checks);
        checks.finish(plan)
    }

    pub(super) fn checked(config: LoopPauseConfig, checks: &mut Checks) -> Self {
        checks.between(config.most >= config.least, "maxPauseMs", Rule::NotBelow, "minPauseMs");
        Self { config }
    }

    /// The next pause. Two draws: the gap, then the length.
    #[must_use]
    pub fn draw(&self, rng: &mut Rng) -> Pause {
        let LoopPauseConfig { most_gap, least, most } = self.config;
        Pause { after: uniform(Duration::ZERO, most_gap, rng), lasts: uniform(least, most, rng) }
    }
}
