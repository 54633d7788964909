//! Errors of Rust's standard library.

use std::error::Error;
use std::io::{self, ErrorKind};

use super::facts::Facts;
use super::judge::Judged;
use super::verdict::Verdict;
use super::{classify, clients};
use crate::error::{Rejected, TimedOut};

/// How many errors a chain of sources is followed for: more than any chain has, and an end for one
/// that has none.
const DEPTH: usize = 32;

/// What an I/O error means, `None` if its kind says nothing about trying again.
///
/// The kind decides; files of the process and of the system that ran out are told by number on
/// Unix, and a failed name lookup by message, since the standard library has nothing else.
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use seawall::classify::{Processed, classify_io};
///
/// let refused = classify_io(&Error::from(ErrorKind::ConnectionRefused)).expect("known");
/// assert!(refused.transient);
/// assert_eq!(refused.processed, Processed::No);
/// assert_eq!(classify_io(&Error::other("odd")), None);
/// ```
#[must_use]
pub fn classify_io(error: &io::Error) -> Option<Verdict> {
    let text;
    let mut facts = Facts { code: word(error.kind()), ..Facts::default() };
    if facts.code.is_empty() {
        facts.code = number(error.raw_os_error());
    }
    if facts.code.is_empty() {
        text = std::string::ToString::to_string(error);
        facts.message = &text;
    }
    classify(&facts)
}

/// What an error means, found in itself or in the nearest of its sources that is known.
///
/// Knows [`io::Error`] wherever it stands in the chain, and the errors of `hyper`, `reqwest`,
/// `redis`, `sqlx` and `tokio-postgres` behind the features of those names. No more than 32 errors
/// are asked.
#[must_use]
pub fn classify_error(error: &(dyn Error + 'static)) -> Option<Verdict> {
    chain(error).find_map(one)
}

/// What an error says to the policies around a call: as [`classify_error`], and refusals and
/// time-outs of this crate's own policies are what they are.
pub(super) fn judge_error(error: &(dyn Error + 'static)) -> Judged {
    for error in chain(error) {
        if let Some(rejected) = error.downcast_ref::<Rejected>() {
            return Judged::Refused(rejected.retry_after);
        }
        if let Some(late) = error.downcast_ref::<TimedOut>() {
            return if late.held_up { Judged::Neutral } else { Judged::PASSING };
        }
        if let Some(verdict) = one(error) {
            return Judged::Failure(Some(verdict));
        }
    }
    Judged::Failure(None)
}

fn one(error: &(dyn Error + 'static)) -> Option<Verdict> {
    error.downcast_ref::<io::Error>().and_then(classify_io).or_else(|| clients::classify(error))
}

/// An error and its sources, as many as are asked.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    core::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // `source` of an I/O error skips the error it was made of.
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
    .take(DEPTH)
}

/// The code that means what `kind` means, empty where there is none.
fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => "ECONNREFUSED",
        ErrorKind::ConnectionReset => "ECONNRESET",
        ErrorKind::ConnectionAborted => "ECONNABORTED",
        ErrorKind::NotConnected => "ENOTCONN",
        ErrorKind::BrokenPipe => "EPIPE",
        ErrorKind::TimedOut => "ETIMEDOUT",
        ErrorKind::HostUnreachable => "EHOSTUNREACH",
        ErrorKind::NetworkUnreachable => "ENETUNREACH",
        ErrorKind::NetworkDown => "ENETDOWN",
        ErrorKind::AddrInUse => "EADDRINUSE",
        ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        ErrorKind::WouldBlock => "EAGAIN",
        ErrorKind::Interrupted => "EINTR",
        ErrorKind::ResourceBusy => "EBUSY",
        ErrorKind::OutOfMemory => "ENOMEM",
        ErrorKind::UnexpectedEof => "UnexpectedEof",
        ErrorKind::PermissionDenied => "EACCES",
        ErrorKind::NotFound => "ENOENT",
        ErrorKind::AlreadyExists => "EEXIST",
        ErrorKind::InvalidInput => "EINVAL",
        ErrorKind::StorageFull => "ENOSPC",
        ErrorKind::ReadOnlyFilesystem => "EROFS",
        _ => "",
    }
}

/// The code of a number that has no kind: the same on every Unix.
fn number(raw: Option<i32>) -> &'static str {
    match raw {
        Some(23) if cfg!(unix) => "ENFILE",
        Some(24) if cfg!(unix) => "EMFILE",
        _ => "",
    }
}
