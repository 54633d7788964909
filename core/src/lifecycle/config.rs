//! How long each step of the end may take.

use core::time::Duration;

use crate::fields::Checks;
use crate::options::Rule;

/// How long the steps of a shutdown may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifecycleConfig {
    /// From the request to end until the process is killed from outside, what came before the
    /// signal included: `terminationGracePeriodSeconds`. Above zero. Default 30 s.
    pub grace: Duration,
    /// How much earlier than that the process is to be gone; less than `grace`. Default 2 s, at
    /// most half of `grace`.
    pub margin: Duration,
    /// What a `preStop` hook has spent of the grace period when the signal comes. Default zero.
    pub pre_stop: Duration,
    /// For how long requests are taken after readiness is gone, `pre_stop` included. Default 5 s
    /// in a cluster, else zero.
    pub drain_delay: Duration,
    /// How long requests may take to finish after that. Default: until only the time of the hooks
    /// is left.
    pub drain_timeout: Duration,
    /// How long the longest request takes, for the [budget](super::Budget). Default zero: not
    /// known.
    pub longest_request: Duration,
    /// How much is kept for the hooks, and how long one of them may take that does not say.
    /// Default 5 s.
    pub hooks: Duration,
    /// A signal within this time after the same one is ignored. Default 2 s.
    pub repeat_within: Duration,
    /// How much is left after a second signal. Default 1 s.
    pub shortened: Duration,
}

impl LifecycleConfig {
    /// The defaults where nothing has to learn that this process is going: no drain delay.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            grace: Duration::from_secs(30),
            margin: Duration::from_secs(2),
            pre_stop: Duration::ZERO,
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::MAX,
            longest_request: Duration::ZERO,
            hooks: Duration::from_secs(5),
            repeat_within: Duration::from_secs(2),
            shortened: Duration::from_secs(1),
        }
    }

    /// The defaults where requests come through endpoints that take a while to change.
    #[must_use]
    pub const fn in_cluster() -> Self {
        Self { drain_delay: Duration::from_secs(5), ..Self::new() }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.above_zero("graceMs", self.grace);
        checks.between(self.margin < self.grace, "graceMs", Rule::NotBelow, "marginMs");
    }
}

impl Default for LifecycleConfig {
    fn default() -> Self {
        Self::new()
    }
}
