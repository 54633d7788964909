//! What is known of a failure before it is judged.

use super::text::pieces;
use super::wait::Wait;

/// Who speaks, where a number or a message alone would not say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Source {
    /// Nobody in particular: words decide, and a number from 400 to 599 is an HTTP status.
    #[default]
    Unknown = 0,
    /// MySQL or MariaDB; the number is the server's error number.
    MySql = 1,
    /// Microsoft SQL Server; the number is the server's error number.
    MsSql = 2,
    /// SQLite; the number is a result code, extended or not.
    Sqlite = 3,
    /// gRPC; the number is a status code.
    Grpc = 4,
    /// MongoDB; the number is the server's error code.
    MongoDb = 5,
    /// Redis or Valkey; the message begins with the word that decides.
    Redis = 6,
}

impl Source {
    /// The source whose discriminant is `number`, [`Source::Unknown`] where there is none.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::MySql,
            2 => Self::MsSql,
            3 => Self::Sqlite,
            4 => Self::Grpc,
            5 => Self::MongoDb,
            6 => Self::Redis,
            _ => Self::Unknown,
        }
    }
}

/// One failure as it shows itself: strings and numbers, empty or absent where there are none.
///
/// ```
/// use seawall::classify::{Facts, Processed, Scope, classify};
///
/// let deadlock = Facts { code: "40P01", ..Facts::default() };
/// let verdict = classify(&deadlock).expect("a known code");
/// assert!(verdict.transient);
/// assert_eq!(verdict.processed, Processed::No);
/// assert_eq!(verdict.scope, Scope::Transaction);
///
/// let silence = Facts { message: "something broke", ..Facts::default() };
/// assert_eq!(classify(&silence), None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Facts<'a> {
    /// The stable code: `ECONNREFUSED`, `40P01`, `ER_LOCK_DEADLOCK`, `ServerBusy`.
    pub code: &'a str,
    /// The name of the error or of its class: `TimeoutError`, `ThrottlingException`.
    pub name: &'a str,
    /// The SQLSTATE, where the driver keeps it beside a code of its own.
    pub sql_state: &'a str,
    /// The system call that failed: `connect`, `read`, `getaddrinfo`.
    pub syscall: &'a str,
    /// MongoDB's error labels, separated by spaces.
    pub labels: &'a str,
    /// The message. It decides only where a driver or a runtime gives nothing else.
    pub message: &'a str,
    /// The number [`Facts::source`] speaks of.
    pub number: Option<i32>,
    /// Whose number or message it is.
    pub source: Source,
    /// The HTTP status, 0 where there is none.
    pub status: u16,
    /// The client library marked the failure as worth a retry (`$retryable` of the AWS SDK).
    pub retryable: bool,
    /// The client library marked the failure as throttling (`$retryable.throttling`).
    pub throttling: bool,
    /// There is a cause behind this failure that can be asked instead: wrappers that say nothing
    /// of their own (`TypeError: fetch failed`) are then not judged.
    pub caused: bool,
    /// The headers of the answer that speak of waiting.
    pub wait: Wait<'a>,
    /// The present in milliseconds since 1970, for waits given as a date; NaN where it is not
    /// known, and such waits are then ignored.
    pub now_ms: f64,
}

impl<'a> Facts<'a> {
    /// [`Facts::retryable`] among the flags of [`Facts::from_fields`].
    pub const RETRYABLE: u32 = 1;
    /// [`Facts::throttling`] among the flags of [`Facts::from_fields`].
    pub const THROTTLING: u32 = 2;
    /// [`Facts::caused`] among the flags of [`Facts::from_fields`].
    pub const CAUSED: u32 = 4;

    /// The strings of a failure out of one text, for a door where each string costs.
    ///
    /// The fields are separated by NUL: code, name, SQLSTATE, system call, labels, message, and
    /// then any number of pairs of a header's name and its value. Missing fields are empty.
    #[must_use]
    pub fn from_fields(text: &'a str, flags: u32) -> Self {
        let mut fields = pieces(text, b"\0");
        let mut next = || fields.next().unwrap_or("");
        let mut facts = Self {
            code: next(),
            name: next(),
            sql_state: next(),
            syscall: next(),
            labels: next(),
            message: next(),
            retryable: flags & Self::RETRYABLE != 0,
            throttling: flags & Self::THROTTLING != 0,
            caused: flags & Self::CAUSED != 0,
            ..Self::default()
        };
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            facts.wait.set(name, value);
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order() {
        let facts = Facts::from_fields("c\0n\0s\0y\0l\0m\0Retry-After\x005\0odd", 5);
        assert_eq!(
            (facts.code, facts.name, facts.sql_state, facts.syscall, facts.labels, facts.message),
            ("c", "n", "s", "y", "l", "m")
        );
        assert_eq!(facts.wait.retry_after, "5");
        assert!(facts.retryable && facts.caused && !facts.throttling);
    }

    #[test]
    fn sources_survive_the_crossing() {
        for number in 0..=6 {
            assert_eq!(Source::from_number(number) as u32, number);
        }
        assert_eq!(Source::from_number(99), Source::Unknown);
    }
}
