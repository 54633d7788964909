//! How many connections each process may open.
//!
//! **Why.** A database server has a fixed number of connections for everybody.
//! Pools sized per process without counting the processes work until the
//! service is scaled or deployed: then old and new processes overlap, and the
//! server turns away whoever comes last.
//!
//! **The rule.** What the server has, less what others hold, less the share
//! kept in reserve, divided among all processes and rounded down. The default
//! reserve of a half is the room in which a deploy runs every process twice.
//!
//! **When not.** The result is the most a process may open, not what it needs.
//! Use the fewest connections that reach the throughput wanted.
//!
//! ```
//! use seawall::pool::PoolSizing;
//!
//! let sizing = PoolSizing { server_max: 100, instances: 6, ..PoolSizing::default() };
//! assert_eq!(sizing.size()?.size, 8);
//! # Ok::<(), seawall::options::Problem>(())
//! ```

use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// What the connections of a server are divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoolSizing {
    /// Connections the server accepts, at least 1. Default 100, PostgreSQL's `max_connections`.
    pub server_max: u32,
    /// Instances of the service, at least 1. Default 1.
    pub instances: u32,
    /// Processes, or threads with a pool of their own, in each instance; at least 1. Default 1.
    pub processes: u32,
    /// The share kept free, from 0 to 1. Default 0.5; with 0 a deploy that
    /// starts new processes before it stops the old ones finds no connection.
    pub reserve: f64,
    /// Connections that others hold: other services, tools, those kept for administrators.
    /// At most `server_max`. Default 0.
    pub held: u32,
}

impl Default for PoolSizing {
    fn default() -> Self {
        Self { server_max: 100, instances: 1, processes: 1, reserve: 0.5, held: 0 }
    }
}

/// How large a pool may be, and from what that follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoolSize {
    /// Connections for each process; at least 1.
    pub size: u32,
    /// Connections for all processes together, before rounding down.
    pub usable: f64,
    /// Processes that share them.
    pub processes: u64,
    /// Whether there is one for each. If not, `size` is 1 all the same, since a
    /// pool of none serves nobody, and all pools together exceed `usable`.
    pub fits: bool,
}

impl PoolSizing {
    /// The most connections each process may open.
    ///
    /// # Errors
    ///
    /// The first field that is out of range.
    pub fn size(&self) -> Result<PoolSize, Problem> {
        let mut checks = Checks::new();
        let size = self.divide(&mut checks);
        checks.finish(size)
    }

    fn divide(&self, checks: &mut Checks) -> PoolSize {
        checks.at_least_one("serverMax", self.server_max);
        checks.at_least_one("instances", self.instances);
        checks.at_least_one("processes", self.processes);
        checks.rule((0.0..=1.0).contains(&self.reserve), "reserve", Rule::Share);
        checks.between(self.server_max >= self.held, "serverMax", Rule::NotBelow, "held");
        let left = self.server_max.saturating_sub(self.held);
        let usable = f64::from(left) - f64::from(left) * self.reserve;
        let processes = u64::from(self.instances).saturating_mul(u64::from(self.processes));
        // 100 less 7 % must be 93, although 100.0 * 0.07 is a little more than 7.
        let each = libm::floor(usable / processes as f64 + 1e-9) as u32;
        PoolSize { size: each.max(1), usable, processes, fits: each >= 1 }
    }
}

/// The same in plain values; what is left out has the default of [`PoolSizing`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct PoolOptions {
    /// [`PoolSizing::server_max`]
    pub server_max: Option<f64>,
    /// [`PoolSizing::instances`]
    pub instances: Option<f64>,
    /// [`PoolSizing::processes`]
    pub processes: Option<f64>,
    /// [`PoolSizing::reserve`]
    pub reserve: Option<f64>,
    /// [`PoolSizing::held`]
    pub held: Option<f64>,
}

impl PoolOptions {
    /// The division they describe; [`PoolSizing::size`] checks what it is given.
    ///
    /// # Errors
    ///
    /// The first option that is no whole number, or out of range.
    pub fn into_sizing(self) -> Result<PoolSizing, Problem> {
        let mut checks = Checks::new();
        let sizing = self.sizing(&mut checks);
        checks.finish(sizing)
    }

    /// The pool of these options, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> PoolSize {
        self.sizing(checks).divide(checks)
    }

    fn sizing(&self, checks: &mut Checks) -> PoolSizing {
        let default = PoolSizing::default();
        PoolSizing {
            server_max: finite(checks, "serverMax", self.server_max, 1.0, default.server_max),
            instances: finite(checks, "instances", self.instances, 1.0, default.instances),
            processes: finite(checks, "processes", self.processes, 1.0, default.processes),
            reserve: self.reserve.unwrap_or(default.reserve),
            held: finite(checks, "held", self.held, 0.0, default.held),
        }
    }
}

/// A finite whole number of at least `least`, `default` where there is none.
#[inline(never)]
fn finite(
    checks: &mut Checks,
    field: &'static str,
    value: Option<f64>,
    least: f64,
    default: u32,
) -> u32 {
    checks.limit(value != Some(f64::INFINITY), field, Rule::IntegerAtLeast, least);
    checks.whole(field, value, least, default)
}
