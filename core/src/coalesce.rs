//! How many executions parallel calls share, and for how long one is joined.
//!
//! **Why limits.** An execution that hangs would hold its key for ever, and all who come for it; and
//! keys that come from outside could fill the memory.
//!
//! ```
//! use core::time::Duration;
//! use seawall::coalesce::Sharing;
//!
//! let sharing = Sharing::default();
//! assert!(sharing.may_join(Duration::from_secs(60)));
//! assert!(!sharing.may_join(Duration::from_secs(61)));
//! assert!(sharing.has_room(9_999) && !sharing.has_room(10_000));
//! ```

use core::time::Duration;

use crate::fields::Checks;
use crate::numbers::{put, put_time};
use crate::options::Problem;

/// The limits of a coalescer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// How many shared executions there may be at a time; a call beyond that is executed for its
    /// caller alone. Default 10,000; `usize::MAX` is no limit.
    pub most: usize,
    /// An execution that began longer ago than this is joined by nobody any more. Default a minute;
    /// `Duration::MAX` is no limit.
    pub join_within: Duration,
}

impl Default for Sharing {
    fn default() -> Self {
        Self { most: 10_000, join_within: Duration::from_secs(60) }
    }
}

impl Sharing {
    /// Whether an execution that began so long ago is joined.
    #[must_use]
    pub fn may_join(&self, age: Duration) -> bool {
        age <= self.join_within
    }

    /// Whether there may be one more where there are so many.
    #[must_use]
    pub const fn has_room(&self, running: usize) -> bool {
        running < self.most
    }

    /// The most executions and the ms for which one is joined, for doors that pass numbers.
    #[doc(hidden)]
    #[must_use]
    pub fn to_numbers(&self) -> alloc::vec::Vec<f64> {
        let mut numbers = alloc::vec::Vec::new();
        let is_limit = self.most != usize::MAX;
        put(&mut numbers, if is_limit { self.most as f64 } else { f64::INFINITY });
        put_time(&mut numbers, Some(self.join_within));
        numbers
    }
}

/// The limits of a coalescer in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct CoalesceOptions {
    /// How many shared executions there may be at a time, a whole number of at least 1; infinity is
    /// no limit. Default 10,000.
    pub max_keys: Option<f64>,
    /// For how long one is joined, in ms; infinity is no limit. Default 60,000.
    pub join_within_ms: Option<f64>,
}

impl CoalesceOptions {
    /// The limits they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<Sharing, Problem> {
        let mut checks = Checks::new();
        let sharing = self.make(&mut checks);
        checks.finish(sharing)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> Sharing {
        let defaults = Sharing::default();
        let most = checks.attempts("maxKeys", self.max_keys).map(|most| most as usize);
        let unset = if self.max_keys.is_some() { usize::MAX } else { defaults.most };
        Sharing {
            most: most.unwrap_or(unset),
            join_within: checks.millis_or(
                "joinWithinMs",
                self.join_within_ms,
                defaults.join_within,
            ),
        }
    }
}
