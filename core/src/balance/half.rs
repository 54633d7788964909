//! Connections whose worker has ended its half.

use core::time::Duration;

/// How often such a connection is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// At so many looks in a row a client may have said nothing before it is let go.
const LOOKS: u32 = 30;

/// How long a connection lasts whose worker has said all it had to say, while the client has not. The
/// worker may still read, or be gone altogether; and a client that says nothing would be kept for
/// ever with its place at the worker.
///
/// ```
/// use seawall::balance::Half;
///
/// let mut half = Half::default();
/// assert!(!half.is_over(1, false), "the client has just said something");
/// assert!((0..29).all(|_| !half.is_over(1, false)));
/// assert!(half.is_over(1, false), "nothing for 30 s");
/// assert!(Half::default().is_over(1, true), "nobody would hear it");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Half {
    idle: u32,
    seen: u64,
}

impl Half {
    /// How often [`is_over`](Self::is_over) is asked.
    pub const LOOK: Duration = LOOK;

    /// Whether it is over, at a look: where the worker is `gone`, or nothing was read from the client
    /// for half a minute. `reads`: how often anything has been.
    pub fn is_over(&mut self, reads: u64, gone: bool) -> bool {
        if core::mem::replace(&mut self.seen, reads) != reads {
            self.idle = 0;
            return gone;
        }
        self.idle = self.idle.saturating_add(1);
        gone || self.idle >= LOOKS
    }
}
