//! A connection that is made again whenever it is lost.
//!
//! **Why.** A client of a database that lost its connection stays broken, and
//! each caller finds out by waiting. One that knows its state refuses at once
//! while it is down, and tries again at a pace that spares the other side.
//!
//! The machine holds no connection and no timer: it is told what happened and
//! answers what it is now. How long to wait is a [`Backoff`](crate::backoff::Backoff)'s
//! business, with the number of the attempt from here.
//!
//! ```
//! use core::time::Duration;
//! use seawall::lifecycle::reconnect::{Event, Reconnect, State};
//!
//! let mut connection = Reconnect::new(Duration::from_secs(5));
//! let ms = Duration::from_millis;
//! assert_eq!(connection.on(Event::Begin, ms(0)), Some(State::Connecting));
//! assert_eq!(connection.on(Event::Lost, ms(10)), Some(State::Waiting));
//! assert_eq!(connection.failures(), 1);
//! assert_eq!(connection.on(Event::Begin, ms(110)), Some(State::Connecting));
//! assert_eq!(connection.on(Event::Made, ms(120)), Some(State::Connected));
//! // Lost again at once: this is no new beginning.
//! assert_eq!(connection.on(Event::Lost, ms(130)), Some(State::Waiting));
//! assert_eq!(connection.failures(), 2);
//! assert_eq!(connection.on(Event::Kill, ms(140)), Some(State::Killed));
//! assert_eq!(connection.on(Event::Begin, ms(150)), None);
//! ```

use core::time::Duration;

use crate::fields::Checks;

/// How long a connection has to last before its failures are forgotten.
const STABLE_AFTER: Duration = Duration::from_secs(5);

/// What a connection is. The numbers cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Not asked for yet.
    Idle = 0,
    /// An attempt is under way.
    Connecting = 1,
    /// It works.
    Connected = 2,
    /// The next attempt comes after a wait.
    Waiting = 3,
    /// Given up for good.
    Killed = 4,
}

/// What happened to a connection. The numbers cross from JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// It is asked for, or the wait is over.
    Begin = 0,
    /// The attempt succeeded.
    Made = 1,
    /// The attempt failed, or the connection broke.
    Lost = 2,
    /// Nobody wants it any more.
    Kill = 3,
}

impl Event {
    /// The event of a number, if there is one.
    #[must_use]
    pub const fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Begin,
            1 => Self::Made,
            2 => Self::Lost,
            3 => Self::Kill,
            _ => return None,
        })
    }
}

/// A connection's state and how often it has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconnect {
    state: State,
    failures: u32,
    made_at: Duration,
    stable_after: Duration,
}

impl Reconnect {
    /// A connection nobody has asked for yet. One that breaks sooner than
    /// `stable_after` after it was made counts as one more failed attempt, so
    /// that a server which takes connections and drops them is not hammered;
    /// zero forgets all failures with each success.
    #[must_use]
    pub const fn new(stable_after: Duration) -> Self {
        Self { state: State::Idle, failures: 0, made_at: Duration::ZERO, stable_after }
    }

    /// The same with plain values, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(stable_ms: Option<f64>, checks: &mut Checks) -> Self {
        Self::new(checks.millis_or("stableMs", stable_ms, STABLE_AFTER))
    }

    /// What it is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// How many attempts have failed one after the other: the number of the
    /// attempt a backoff wants.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// What it becomes by `event` at `now` (the time since any fixed point), or
    /// `None` if the event means nothing in its state, such as the end of a
    /// connection that was given up.
    pub fn on(&mut self, event: Event, now: Duration) -> Option<State> {
        let next = match (self.state, event) {
            (State::Idle | State::Waiting, Event::Begin) => State::Connecting,
            (State::Connecting, Event::Made) => {
                self.made_at = now;
                State::Connected
            }
            (State::Connecting, Event::Lost) => {
                self.failures = self.failures.saturating_add(1);
                State::Waiting
            }
            (State::Connected, Event::Lost) => {
                let stable = now.saturating_sub(self.made_at) >= self.stable_after;
                self.failures = if stable { 1 } else { self.failures.saturating_add(1) };
                State::Waiting
            }
            (State::Idle | State::Connecting | State::Connected | State::Waiting, Event::Kill) => {
                State::Killed
            }
            _ => return None,
        };
        self.state = next;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stable_connection_begins_anew() {
        let ms = Duration::from_millis;
        let mut it = Reconnect::new(ms(1000));
        for at in [0, 10, 20] {
            it.on(Event::Begin, ms(at));
            it.on(Event::Lost, ms(at));
        }
        assert_eq!(it.failures(), 3);
        it.on(Event::Begin, ms(30));
        it.on(Event::Made, ms(30));
        it.on(Event::Lost, ms(1030));
        assert_eq!(it.failures(), 1);
    }

    #[test]
    fn events_of_the_past_mean_nothing() {
        let mut it = Reconnect::new(Duration::ZERO);
        for event in [Event::Made, Event::Lost] {
            assert_eq!(it.on(event, Duration::ZERO), None);
        }
        it.on(Event::Kill, Duration::ZERO);
        for event in [Event::Begin, Event::Made, Event::Lost, Event::Kill] {
            assert_eq!(it.on(event, Duration::ZERO), None);
            assert_eq!(it.state(), State::Killed);
        }
    }
}
