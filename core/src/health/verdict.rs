//! What is asked of a service, and what is answered.

use crate::Instant;

/// What is asked of a service; what a check is asked for.
///
/// The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Whether it can go on at all; whoever runs it starts it anew where it cannot.
    Liveness = 0,
    /// Whether it should be sent work now.
    Readiness = 1,
    /// Whether it has come up; the other two are not asked before.
    Startup = 2,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Liveness, Self::Readiness, Self::Startup];

    /// The kind of that number; anything unknown is readiness, the most careful of them.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Liveness,
            2 => Self::Startup,
            _ => Self::Readiness,
        }
    }

    /// Its name: `liveness`, `readiness` or `startup`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
        }
    }
}

/// Why an answer is what it is.
///
/// The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Nothing speaks against it.
    Passing = 0,
    /// It was said that this process cannot recover.
    Unrecoverable = 1,
    /// It was said that no work is wanted any more.
    Draining = 2,
    /// A start-up check has not passed yet.
    Starting = 3,
    /// A check has no result yet.
    Pending = 4,
    /// A check failed.
    Failing = 5,
    /// A check has taken longer than its timeout and is still under way.
    Hanging = 6,
    /// The last result of a check is older than its maximum age.
    Stale = 7,
    /// The event loop has not turned for too long.
    Blocked = 8,
    /// The pressure on the process is too high.
    Pressure = 9,
}

impl Reason {
    const ALL: [Self; 10] = [
        Self::Passing,
        Self::Unrecoverable,
        Self::Draining,
        Self::Starting,
        Self::Pending,
        Self::Failing,
        Self::Hanging,
        Self::Stale,
        Self::Blocked,
        Self::Pressure,
    ];

    /// The reason of that number, [`Reason::Failing`] for any other.
    #[must_use]
    pub fn from_code(code: u32) -> Self {
        Self::ALL.get(code as usize).copied().unwrap_or(Self::Failing)
    }

    /// Its name in small letters.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Unrecoverable => "unrecoverable",
            Self::Draining => "draining",
            Self::Starting => "starting",
            Self::Pending => "pending",
            Self::Failing => "failing",
            Self::Hanging => "hanging",
            Self::Stale => "stale",
            Self::Blocked => "blocked",
            Self::Pressure => "pressure",
        }
    }
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Yes or no.
    pub passing: bool,
    /// Why; of several reasons the one that weighs most.
    pub reason: Reason,
    /// The check behind the reason, where there is one.
    pub check: Option<u32>,
    /// Since when it has been so.
    pub since: Instant,
    /// Until when a yes holds if nothing happens: then [`Verdict::ages`] is too old.
    pub until: Instant,
    /// The check that is too old first.
    pub ages: Option<u32>,
}

impl Verdict {
    /// Passes (1 or 0), the number of the reason, the check or -1, since when (ms), until when (ms),
    /// and the check that is too old then or -1.
    #[doc(hidden)]
    #[must_use]
    pub fn to_numbers(self) -> [f64; 6] {
        let check = |check: Option<u32>| check.map_or(-1.0, f64::from);
        [
            f64::from(u8::from(self.passing)),
            f64::from(self.reason as u8),
            check(self.check),
            self.since.as_millis(),
            match self.until.as_nanos() {
                u64::MAX => f64::INFINITY,
                _ => self.until.as_millis(),
            },
            check(self.ages),
        ]
    }

    /// The answer at `now` if nothing has happened since it was given.
    #[must_use]
    pub fn at(self, now: Instant) -> Self {
        match self.passing && now >= self.until {
            true => Self {
                passing: false,
                reason: Reason::Stale,
                check: self.ages,
                since: self.until,
                ..self
            },
            false => self,
        }
    }
}
