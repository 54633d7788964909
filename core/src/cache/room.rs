//! How much a cache keeps in memory, and what it asks of a store behind it.

use core::time::Duration;

use crate::fields::Checks;
use crate::numbers::{put, put_time};
use crate::options::{Problem, Rule};

/// How much a cache keeps, and how long it waits for its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many bytes of keys and values there are in memory at most. Default 16 MiB.
    pub max_bytes: u64,
    /// How long the store is waited for before it counts as failed. Default half a second.
    pub store_timeout: Duration,
}

impl Default for Room {
    fn default() -> Self {
        Self { max_bytes: 1 << 24, store_timeout: Duration::from_millis(500) }
    }
}

impl Room {
    /// The bytes and the ms, for doors that pass numbers.
    #[doc(hidden)]
    #[must_use]
    pub fn to_numbers(&self) -> alloc::vec::Vec<f64> {
        let mut numbers = alloc::vec::Vec::new();
        put(&mut numbers, self.max_bytes as f64);
        put_time(&mut numbers, Some(self.store_timeout));
        numbers
    }
}

/// The room of a cache in plain values; what is left out has the default given.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct RoomOptions {
    /// How many bytes there are in memory at most, a whole number of at least 1. Default 16,777,216.
    pub max_bytes: Option<f64>,
    /// How long the store is waited for, in ms, above 0. Default 500.
    pub store_timeout_ms: Option<f64>,
    /// The version of the shape of what is kept, a whole number of at least 0.
    pub version: Option<f64>,
    /// The oldest version that is still read, a whole number of at least 0 and below `version`.
    pub migrate_from: Option<f64>,
}

impl RoomOptions {
    /// The room they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<Room, Problem> {
        let mut checks = Checks::new();
        let room = self.make(&mut checks);
        checks.finish(room)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> Room {
        let room = Room::default();
        checks.whole("maxBytes", self.max_bytes, 1.0, 0);
        let store_timeout =
            checks.positive("storeTimeoutMs", self.store_timeout_ms, room.store_timeout);
        checks.whole("version", self.version, 0.0, 0);
        checks.whole("migrate.from", self.migrate_from, 0.0, 0);
        if let Some((from, version)) = self.migrate_from.zip(self.version) {
            checks.limit(from < version, "migrate.from", Rule::AtMost, version - 1.0);
        }
        Room { max_bytes: self.max_bytes.map_or(room.max_bytes, |most| most as u64), store_timeout }
    }
}
