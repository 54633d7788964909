//! For how long pressure lasts, as far as the past tells.

use core::time::Duration;

use crate::time::{Instant, millis};

/// How much one spell changes what is usual.
const WEIGHT: f64 = 0.25;

/// The spell of pressure under way and the usual length of those before it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spell {
    since: Option<Instant>,
    usual_ms: f64,
}

impl Spell {
    /// Notes whether there is pressure, and answers for how many more milliseconds it is expected:
    /// as long again as it has lasted, since what has gone on for long goes on for long, and at
    /// least as long as is usual; 0 without pressure.
    pub(super) fn note(&mut self, pressed: bool, now: Instant, longest: Duration) -> f64 {
        match (pressed, self.since) {
            (true, since) => {
                let since = *self.since.insert(since.unwrap_or(now));
                let lasted = millis(now.since(since));
                lasted.max(self.usual_ms - lasted).min(millis(longest))
            }
            (false, None) => 0.0,
            (false, Some(since)) => {
                let lasted = millis(now.since(since));
                let usual = self.usual_ms;
                self.usual_ms =
                    if usual > 0.0 { usual + WEIGHT * (lasted - usual) } else { lasted };
                self.since = None;
                0.0
            }
        }
    }
}
