//! Whether the steps fit into the grace period, found out before it matters.

use core::time::Duration;

use super::LifecycleConfig;
use crate::time::{duration, nanos};

/// What a shutdown needs at most, and what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// `preStop`, or the drain delay if that is longer: the one runs within the other.
    pub delay: Duration,
    /// The longest request.
    pub longest_request: Duration,
    /// All hooks.
    pub hooks: Duration,
    /// What is kept free at the end.
    pub margin: Duration,
    /// The grace period.
    pub grace: Duration,
}

impl Budget {
    pub(super) fn of(config: &LifecycleConfig, hooks: Duration) -> Self {
        Self {
            delay: config.drain_delay.max(config.pre_stop),
            longest_request: config.longest_request,
            hooks: hooks.max(config.hooks),
            margin: config.margin,
            grace: config.grace,
        }
    }

    /// The sum of what is needed.
    #[must_use]
    pub fn needed(&self) -> Duration {
        let ends = nanos(self.delay).saturating_add(nanos(self.longest_request));
        duration(ends.saturating_add(nanos(self.hooks)).saturating_add(nanos(self.margin)))
    }

    /// By how much the grace period is too short; zero if it is long enough.
    #[must_use]
    pub fn short(&self) -> Duration {
        duration(nanos(self.needed()).saturating_sub(nanos(self.grace)))
    }
}
