//! The socket of one server, and what those are told who are refused there.

use std::fmt::Write;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use seawall::pressure::Monitor;

use super::head::Request;
use crate::native::backlog::accept_once;

/// For how long clients are told that a connection on which they ask for nothing is kept: as servers of
/// Node do.
pub(super) const KEEP: Duration = Duration::from_secs(5);

/// How many connections wait for JavaScript to take them: as many as are kept, for all of them may ask
/// at once when the pressure is over.
const MOST_PASSED: usize = 1024;

/// A connection that JavaScript is to serve, with the bytes that were read of it. Closed where nobody
/// takes it.
pub(super) struct Passed {
    descriptor: OwnedFd,
    bytes: Vec<u8>,
    waiting: Arc<AtomicUsize>,
}

impl Passed {
    /// For the one who takes it.
    pub(super) fn take(self) -> (OwnedFd, Vec<u8>) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        (self.descriptor, self.bytes)
    }
}

/// Gives a connection to JavaScript; false where that is over.
pub(super) type Pass = Box<dyn Fn(Passed) -> bool + Send + Sync>;

/// What has happened at a door.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) passed: AtomicU64,
    /// Closed without an answer: too slow, too many, or gone.
    pub(super) given_up: AtomicU64,
}

impl Counts {
    /// In the order of the fields.
    pub(super) fn to_numbers(&self) -> [f64; 4] {
        [&self.accepted, &self.refused, &self.passed, &self.given_up]
            .map(|count| count.load(Ordering::Relaxed) as f64)
    }
}

/// The socket of one server.
pub(super) struct Door {
    listener: OwnedFd,
    /// Weak: of a monitor that was disposed of nobody is refused.
    monitor: Weak<Monitor>,
    pub(super) paths: Vec<String>,
    body: String,
    pass: Pass,
    waiting: Arc<AtomicUsize>,
    shut: AtomicBool,
    counts: Counts,
}

impl Door {
    /// With a descriptor of its own for the socket of `descriptor`.
    pub(super) fn new(
        descriptor: RawFd,
        monitor: &Arc<Monitor>,
        paths: Vec<String>,
        body: String,
        pass: Pass,
    ) -> io::Result<Self> {
        if descriptor < 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: JavaScript, on this thread, has it open during this call.
        let listener = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()?;
        Ok(Self {
            listener,
            monitor: Arc::downgrade(monitor),
            paths,
            body,
            pass,
            waiting: Arc::default(),
            shut: AtomicBool::new(false),
            counts: Counts::default(),
        })
    }

    pub(super) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Asks the monitor whether all are refused, and remembers the answer. Whether it is another than
    /// the last time, which the thread at the door has to be told.
    pub(super) fn judge(&self) -> bool {
        let shut = self.monitor.upgrade().is_some_and(|monitor| monitor.refuses_all());
        self.shut.swap(shut, Ordering::AcqRel) != shut
    }

    /// Whether all are refused, as far as was asked.
    pub(super) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Acquire)
    }

    /// Adds the answer to one who is refused, the `turn`th, to `out`.
    pub(super) fn answer(&self, turn: usize, request: Request, out: &mut String) {
        let seconds = self.monitor.upgrade().map_or(1, |monitor| monitor.retry_after(turn));
        let length = self.body.len();
        // Writing into a string cannot fail.
        let _ = write!(
            out,
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json; charset=utf-8\r\n\
             content-length: {length}\r\nretry-after: {seconds}\r\n"
        );
        let _ = if request.stays {
            write!(out, "connection: keep-alive\r\nkeep-alive: timeout={}\r\n\r\n", KEEP.as_secs())
        } else {
            out.write_str("connection: close\r\n\r\n")
        };
        if !request.bare {
            out.push_str(&self.body);
        }
    }

    /// Tells the monitor of so many who were refused.
    pub(super) fn refused(&self, times: u32) {
        self.counts.refused.fetch_add(u64::from(times), Ordering::Relaxed);
        if let Some(monitor) = self.monitor.upgrade() {
            monitor.refused(times);
        }
    }

    /// Gives a connection to JavaScript, unless too many wait for it.
    pub(super) fn pass(&self, descriptor: OwnedFd, bytes: Vec<u8>) {
        let waiting = Arc::clone(&self.waiting);
        let passed = self.waiting.fetch_add(1, Ordering::Relaxed) < MOST_PASSED
            && (self.pass)(Passed { descriptor, bytes, waiting });
        if passed {
            self.counts.passed.fetch_add(1, Ordering::Relaxed);
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The next connection, which waits for nothing.
    pub(super) fn accept(&self) -> io::Result<OwnedFd> {
        let accepted = accept_once(self.listener.as_raw_fd());
        let accepted = accepted.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the system has just made it, for this caller alone.
        Ok(unsafe { OwnedFd::from_raw_fd(accepted) })
    }
}

impl AsRawFd for Door {
    fn as_raw_fd(&self) -> RawFd {
        self.listener.as_raw_fd()
    }
}
