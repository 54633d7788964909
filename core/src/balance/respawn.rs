//! When a worker that has died is started again, and when no more.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::fields::Checks;
use crate::options::Problem;
use crate::time::{nanos, product};
use crate::{Instant, Rng};

/// When workers are started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RespawnConfig {
    /// The wait before the first new start. Default 100 ms. Doubles with each death in a row.
    pub delay: Duration,
    /// The longest wait. Default 30 s.
    pub max_delay: Duration,
    /// How many new starts there may be within `window`; the death after them is final. Default
    /// 5. Zero: none at all.
    pub limit: u32,
    /// The time the limit is for, and for which a worker has to live for its deaths to be
    /// forgotten. Default 60 s.
    pub window: Duration,
}

impl Default for RespawnConfig {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(30),
            limit: 5,
            window: Duration::from_secs(60),
        }
    }
}

/// The same in plain values; what is left out has the default of [`RespawnConfig`].
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct RespawnOptions {
    /// The wait before the first new start, in ms.
    pub respawn_delay_ms: Option<f64>,
    /// The longest wait, in ms.
    pub respawn_max_delay_ms: Option<f64>,
    /// How many new starts there may be within the window.
    pub respawn_limit: Option<f64>,
    /// The window, in ms.
    pub respawn_window_ms: Option<f64>,
}

impl RespawnOptions {
    /// What they describe, as far as `checks` let it pass.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> Respawn {
        let default = RespawnConfig::default();
        let config = RespawnConfig {
            delay: checks.millis_or("respawnDelayMs", self.respawn_delay_ms, default.delay),
            max_delay: checks.millis_or(
                "respawnMaxDelayMs",
                self.respawn_max_delay_ms,
                default.max_delay,
            ),
            limit: checks.whole("respawnLimit", self.respawn_limit, 0.0, default.limit),
            window: checks.positive("respawnWindowMs", self.respawn_window_ms, default.window),
        };
        Respawn { config, starts: VecDeque::new(), row: 0, given_up: false }
    }
}

/// What becomes of a worker that has died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Respawned {
    /// It is started again after this wait.
    After(Duration),
    /// It is not: it died too often within the window.
    GivenUp,
}

/// The deaths of one worker, and what follows from them. Bounded by the limit.
///
/// ```
/// use std::time::Duration;
/// use seawall::{Instant, Rng};
/// use seawall::balance::{Respawn, RespawnConfig, Respawned};
///
/// let mut worker = Respawn::new(RespawnConfig::default())?;
/// let mut rng = Rng::new(1);
/// let mut starts = 0;
/// let mut now = Instant::ZERO;
/// while let Respawned::After(wait) = worker.died(now, &mut rng) {
///     starts += 1;
///     now = now.after(wait);
/// }
/// assert_eq!(starts, 5, "a worker that dies at once is not started for ever");
/// # Ok::<(), seawall::options::Problem>(())
/// ```
#[derive(Debug, Clone)]
pub struct Respawn {
    config: RespawnConfig,
    /// When it was started again, within the window.
    starts: VecDeque<Instant>,
    /// Deaths with no long life between them.
    row: u32,
    given_up: bool,
}

impl Respawn {
    /// One that has not died yet.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn new(config: RespawnConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        checks.above_zero("respawnWindowMs", config.window);
        checks.finish(Self { config, starts: VecDeque::new(), row: 0, given_up: false })
    }

    /// Notes a death and answers what follows. The wait is drawn from the upper half of what the
    /// schedule says, so that workers that died together are not started together.
    pub fn died(&mut self, now: Instant, rng: &mut Rng) -> Respawned {
        let Self { config, starts, row, .. } = self;
        if starts.back().is_some_and(|start| now.since(*start) >= config.window) {
            *row = 0;
        }
        while starts.front().is_some_and(|start| now.since(*start) >= config.window) {
            starts.pop_front();
        }
        if starts.len() >= usize::try_from(config.limit).unwrap_or(usize::MAX) {
            self.given_up = true;
            return Respawned::GivenUp;
        }
        let doubled = product(nanos(config.delay), 1u64.checked_shl(*row).unwrap_or(u64::MAX));
        let longest = doubled.min(nanos(config.max_delay)) as f64;
        *row = row.saturating_add(1);
        let wait = Duration::from_nanos(rng.between(longest / 2.0, longest) as u64);
        starts.push_back(now.after(wait));
        Respawned::After(wait)
    }

    /// Whether it died too often; by hand it may be started all the same.
    #[must_use]
    pub const fn given_up(&self) -> bool {
        self.given_up
    }

    /// Forgets all deaths, as after a start by hand.
    pub fn reset(&mut self) {
        self.starts.clear();
        self.row = 0;
        self.given_up = false;
    }
}
