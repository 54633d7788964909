//! What a signal means that is not the first.

use core::time::Duration;

use crate::Instant;

/// What a signal does to a process that may be ending already.
///
/// The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Repeat {
    /// It begins the end.
    First = 0,
    /// It is the same once more: `npm` passes SIGINT on to a process that the terminal has sent it
    /// to already.
    Ignored = 1,
    /// Somebody is in a hurry: the deadline comes closer.
    Hastened = 2,
    /// Somebody insists: at once.
    Exit = 3,
}

/// The signals that counted, at most three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signals {
    counted: [Option<(u8, Instant)>; 2],
    exit: Option<u8>,
}

impl Signals {
    pub(super) const fn new() -> Self {
        Self { counted: [None; 2], exit: None }
    }

    /// The signal that ended the process at once.
    pub(super) const fn exit(&self) -> Option<u8> {
        self.exit
    }

    /// What counts is the time since the same signal last counted; so signals that go on and on
    /// are not ignored for ever.
    pub(super) fn count(&mut self, now: Instant, signal: u8, within: Duration) -> Repeat {
        let same = self.counted.iter().flatten().filter(|(other, _)| *other == signal);
        if same.map(|(_, at)| now.since(*at)).any(|since| since < within) {
            return Repeat::Ignored;
        }
        match &mut self.counted {
            [first @ None, _] => {
                *first = Some((signal, now));
                Repeat::First
            }
            [_, second @ None] => {
                *second = Some((signal, now));
                Repeat::Hastened
            }
            _ => {
                self.exit.get_or_insert(signal);
                Repeat::Exit
            }
        }
    }
}
