//! One client: bytes in, an answer out, never for long.

use std::io::ErrorKind;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::head::{Head, MOST_BYTES, Method, parse};
use super::listener::Stream;
use super::service::Service;

/// In which time a head must be there, counted from the connection or from the answer before.
pub(super) const HEAD: Duration = Duration::from_secs(5);

/// In which time an answer must have been taken.
const WRITE: Duration = Duration::from_secs(5);

/// How long the client may take to close after the last answer.
const LINGER: Duration = Duration::from_secs(1);

/// How many answers one connection may have.
const MOST_ANSWERS: u32 = 1000;

/// How much of what comes after the last answer is thrown away before it is cut off.
const MOST_LEFT: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    Writing,
    /// The last answer is out: what still comes is thrown away, since closing on unread bytes
    /// would take the answer back.
    Lingering,
}

/// A client.
pub(super) struct Connection {
    stream: Stream,
    service: Arc<Service>,
    pub(super) server: u32,
    phase: Phase,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    last: bool,
    answers: u32,
    left: usize,
    pub(super) deadline: Instant,
}

impl Connection {
    pub(super) fn new(stream: Stream, server: u32, service: Arc<Service>, now: Instant) -> Self {
        service.counts().opened();
        Self {
            stream,
            service,
            server,
            phase: Phase::Reading,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            last: false,
            answers: 0,
            left: 0,
            deadline: now + HEAD,
        }
    }

    /// What to wait for.
    pub(super) fn events(&self) -> libc::c_short {
        match self.phase {
            Phase::Writing => libc::POLLOUT,
            Phase::Reading | Phase::Lingering => libc::POLLIN,
        }
    }

    /// Whether it can be closed to make room without taking an answer from anybody.
    pub(super) fn is_idle(&self) -> bool {
        self.phase != Phase::Writing
    }

    /// Closes it to make room.
    pub(super) fn displace(self) {
        self.service.counts().displaced();
    }

    /// Goes on as far as it can; whether it is to be kept.
    pub(super) fn step(&mut self, now: Instant) -> bool {
        loop {
            let goes_on = match self.phase {
                Phase::Reading => self.read(now),
                Phase::Writing => self.write(now),
                Phase::Lingering => self.linger(),
            };
            match goes_on {
                Some(true) => {}
                Some(false) => return false,
                None => return true,
            }
        }
    }

    /// Nothing: wait; whether to go on.
    fn read(&mut self, now: Instant) -> Option<bool> {
        if !self.input.is_empty() && self.answer(now) {
            return Some(true);
        }
        let mut buffer = [0; 2048];
        let room = buffer.len().min(MOST_BYTES.saturating_sub(self.input.len()));
        match self.stream.read(buffer.get_mut(..room)?) {
            Ok(0) => Some(false),
            Ok(bytes) => {
                self.input.extend_from_slice(buffer.get(..bytes)?);
                Some(true)
            }
            Err(error) => waits(&error),
        }
    }

    /// Whether the bytes so far were enough for an answer.
    fn answer(&mut self, now: Instant) -> bool {
        let (bytes, text, close) = match parse(&self.input) {
            Head::Partial => return false,
            Head::Refused(status) => (self.input.len(), self.service.refuse(status), true),
            Head::Request { method, path, close, bytes } => {
                let close = close || method == Method::Other || self.answers >= MOST_ANSWERS;
                (bytes, self.service.answer(method, &path, close), close)
            }
        };
        self.input.drain(..bytes.min(self.input.len()));
        self.output = text;
        self.written = 0;
        self.last = close;
        self.answers = self.answers.saturating_add(1);
        self.phase = Phase::Writing;
        self.deadline = now + WRITE;
        true
    }

    fn write(&mut self, now: Instant) -> Option<bool> {
        let rest = self.output.get(self.written..).unwrap_or_default();
        if !rest.is_empty() {
            return match self.stream.write(rest) {
                Ok(0) => Some(false),
                Ok(bytes) => {
                    self.written = self.written.saturating_add(bytes);
                    Some(true)
                }
                Err(error) => waits(&error),
            };
        }
        self.output = Vec::new();
        if self.last {
            self.stream.finish();
            self.phase = Phase::Lingering;
            self.deadline = now + LINGER;
        } else {
            self.phase = Phase::Reading;
            self.deadline = now + HEAD;
        }
        Some(true)
    }

    fn linger(&mut self) -> Option<bool> {
        let mut buffer = [0; 2048];
        match self.stream.read(&mut buffer) {
            Ok(0) => Some(false),
            Ok(bytes) => {
                self.left = self.left.saturating_add(bytes);
                Some(self.left < MOST_LEFT)
            }
            Err(error) => waits(&error),
        }
    }
}

fn waits(error: &std::io::Error) -> Option<bool> {
    match error.kind() {
        ErrorKind::WouldBlock => None,
        ErrorKind::Interrupted => Some(true),
        _ => Some(false),
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.service.counts().closed();
    }
}
