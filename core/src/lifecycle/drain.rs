//! Which connection of a draining server is told to leave, and when.
//!
//! **Why.** A server that tells everybody to leave at once sends all its clients
//! to its neighbours in the same instant; one that tells nobody until the end
//! cuts whoever is still there. Here the connections leave one after the other
//! over a window: after a fifth of it a fifth of them has been told.
//!
//! Going by connections rather than by responses keeps that share the same for
//! busy and for quiet clients: where each response is closed with a growing
//! probability, a connection with a hundred requests per second is gone after a
//! few of them.
//!
//! The moments are a golden-ratio sequence from a random start: spread evenly
//! however many connections there turn out to be, and different in each process.
//!
//! ```
//! use core::time::Duration;
//! use seawall::Rng;
//! use seawall::lifecycle::drain::Drain;
//!
//! let mut drain = Drain::new(Duration::from_secs(5), &mut Rng::new(7));
//! let turns: Vec<_> = (0..100).map(|_| drain.turn()).collect();
//!
//! let told = turns.iter().filter(|&&turn| turn < Duration::from_secs(1)).count();
//! assert!((19..=21).contains(&told));
//! assert!((drain.share(Duration::from_secs(1)) - 0.2).abs() < 1e-9);
//! ```

use core::time::Duration;

use crate::Rng;
use crate::fields::Checks;
use crate::time::{duration, nanos};

/// The fraction of the golden ratio, whose multiples fill a circle most evenly.
const STEP: f64 = 0.618_033_988_749_894_9;

/// A window in which connections are told to leave, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drain {
    window: Duration,
    next: f64,
}

impl Drain {
    /// A window of this length; zero tells everybody at once. One draw.
    #[must_use]
    pub fn new(window: Duration, rng: &mut Rng) -> Self {
        Self { window, next: rng.unit() }
    }

    /// The drain of plain values, for who looks at the checks afterwards. The times
    /// between the steps of a goodbye are its owner's business; they are checked.
    #[doc(hidden)]
    #[must_use]
    pub fn make(
        window_ms: f64,
        farewell_ms: f64,
        retry_ms: Option<f64>,
        rng: &mut Rng,
        checks: &mut Checks,
    ) -> Self {
        let _ = checks.millis("farewellMs", Some(farewell_ms));
        let _ = checks.millis("eventStreamRetryMs", retry_ms);
        Self::new(checks.millis_or("windowMs", Some(window_ms), Duration::ZERO), rng)
    }

    /// How long after the beginning the next connection is told: the existing
    /// ones first, then each new one as it comes. One whose turn has passed is
    /// told at its first response. Below the window's length, or zero.
    #[must_use]
    pub fn turn(&mut self) -> Duration {
        let share = self.next;
        let next = share + STEP;
        self.next = if next < 1.0 { next } else { next - 1.0 };
        duration((nanos(self.window) as f64 * share) as u64)
    }

    /// Which share of the connections has been told when the drain has lasted
    /// `elapsed`: from 0 to 1.
    #[must_use]
    pub fn share(&self, elapsed: Duration) -> f64 {
        let (elapsed, window) = (nanos(elapsed), nanos(self.window));
        if elapsed >= window { 1.0 } else { elapsed as f64 / window as f64 }
    }
}
