//! Timers that fire late.

use core::time::Duration;

/// What the lateness of a timer says of a try whose time is up.
///
/// While an event loop is blocked nothing is read. The answers that came meanwhile wait in the
/// sockets, behind the timers: the first thing to happen afterwards is that every call under way is
/// told its time is up. So a timer that fires late gives what is there one turn to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Late {
    /// The timer was on time: the try is over now.
    No = 0,
    /// It was late by more than a turn takes: the try is over if it is still under way after one
    /// turn of I/O.
    ATurn = 1,
    /// It was held up. The same, and a try that is over says nothing of the other side: it is
    /// [`Neutral`](crate::Outcome::Neutral).
    Blocked = 2,
}

/// Timers count in milliseconds, and so may be late by one or two without a cause.
const PUNCTUAL: Duration = Duration::from_millis(5);

impl Late {
    pub(super) fn of(late: Duration, blocked: Duration) -> Self {
        if late > blocked {
            Self::Blocked
        } else if late > PUNCTUAL {
            Self::ATurn
        } else {
            Self::No
        }
    }
}

/// Whether a timer that fired so late was held up, where no option says what is too late.
#[cfg(feature = "tokio")]
pub(crate) fn is_held_up(late: Duration) -> bool {
    Late::of(late, super::config::LATE) == Late::Blocked
}
