//! A limit on calls by time: so many in a while.
//!
//! **Why.** Whoever asks more of another side than it allows is refused there, later and at a
//! higher price; and a side that allows any amount is brought down by one caller.
//!
//! **When not.** Where the other side is short of room rather than of calls in a while, limit how
//! many are under way at a time. A limit of one process is one of many: with ten processes, set a
//! tenth.
//!
//! **Which.** [`Kind::Gcra`] for a steady stream with bursts, [`Kind::SlidingWindow`] where no
//! period whatever may see more than the limit.
//!
//! A call takes one permit or, if it weighs more, several. Whoever finds none may wait in line.
//! Nobody overtakes the line, and whoever leaves it makes all behind move up:
//!
//! ```
//! use std::time::Duration;
//! use seawall::Instant;
//! use seawall::limit::rate::{Decision, RateConfig, RateLimiter, Refusal};
//!
//! let ms = |ms| Instant::ZERO.after(Duration::from_millis(ms));
//! // Ten a second, two at once.
//! let config = RateConfig { burst: 2, ..RateConfig::new(10, Duration::from_secs(1)) };
//! let mut limiter = RateLimiter::new(config)?;
//!
//! assert_eq!(limiter.try_acquire(2, ms(0)), Decision::Granted);
//! assert_eq!(limiter.try_acquire(1, ms(0)), Decision::Refused(Refusal::Rate));
//! assert_eq!(limiter.retry_after(1, ms(0)), Some(Duration::from_millis(100)));
//!
//! // A place in line, and what it is good for.
//! let patience = Duration::from_secs(1);
//! assert_eq!(limiter.acquire(1, patience, ms(0)), Decision::Wait(Duration::from_millis(100)));
//! assert_eq!(limiter.acquire(1, patience, ms(0)), Decision::Wait(Duration::from_millis(200)));
//! assert_eq!(limiter.advance(1, ms(100)), Decision::Granted);
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod config;
#[cfg(feature = "std")]
mod keys;
mod limiter;
mod options;
mod window;

use alloc::vec::Vec;
use core::time::Duration;

pub use config::{Kind, RateConfig};
#[cfg(feature = "std")]
pub use keys::{KeyedRateLimiter, Keys};
pub use limiter::RateLimiter;
pub use options::RateOptions;

use crate::numbers::{put, put_count, put_time};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may go.
    Granted,
    /// It has a place in line, and is expected to go after this time; while others leave, sooner.
    Wait(Duration),
    /// It may not.
    Refused(Refusal),
}

impl Decision {
    /// Whether the call may go now.
    #[must_use]
    pub const fn is_granted(self) -> bool {
        matches!(self, Self::Granted)
    }
}

/// Why a call may not go. The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i8)]
#[non_exhaustive]
pub enum Refusal {
    /// There are not enough permits, or others wait for them.
    Rate = -1,
    /// Nothing passes for a while, see [`RateLimiter::hold`].
    Held = -2,
    /// The wait would be too long.
    Wait = -3,
    /// The line is as long as it may be.
    Queue = -4,
    /// It weighs more than there are permits at once.
    Weight = -5,
}

/// The state of a limiter in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateExplanation {
    /// Permits there can be at once.
    pub at_once: u32,
    /// Permits in use; fractions of one are on their way back.
    pub used: f64,
    /// Whole permits there are now, for those in line first.
    pub available: u32,
    /// Calls in line.
    pub queued: u32,
    /// Permits they wait for.
    pub waiting: u64,
    /// How long nothing passes.
    pub held: Duration,
    /// How long until one more permit could be had, behind those in line.
    pub next: Duration,
    /// Calls let through so far.
    pub granted: u64,
    /// Calls refused so far.
    pub refused: u64,
}

impl RateExplanation {
    /// The fields in their order, times in ms.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        let mut numbers = Vec::new();
        put_count(&mut numbers, self.at_once);
        put(&mut numbers, self.used);
        put_count(&mut numbers, self.available);
        put_count(&mut numbers, self.queued);
        put(&mut numbers, self.waiting as f64);
        put_time(&mut numbers, Some(self.held));
        put_time(&mut numbers, Some(self.next));
        put(&mut numbers, self.granted as f64);
        put(&mut numbers, self.refused as f64);
        numbers
    }
}
