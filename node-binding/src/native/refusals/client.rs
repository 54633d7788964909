//! One connection at a door that is shut: a head in, a refusal out.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use seawall::Instant;

use super::door::Door;
use super::head::{self, Head, MOST_BYTES};

/// In which time a head must be there.
const HEAD: Duration = Duration::from_secs(5);
/// How long the client may take to close after the answer.
const LINGER: Duration = Duration::from_secs(1);
/// How much of what comes after a head is thrown away before it is cut off.
const MOST_LEFT: usize = 64 * 1024;

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is waited for.
    Wait,
    /// It is over.
    Close,
    /// It is JavaScript's.
    Pass,
}

/// A connection.
pub(super) struct Client {
    /// Of whatever family: what is read and written is the same.
    stream: TcpStream,
    pub(super) door: Arc<Door>,
    bytes: Vec<u8>,
    /// It is answered: what still comes is thrown away, since closing on unread bytes would take the
    /// answer back.
    answered: bool,
    left: usize,
    pub(super) deadline: Instant,
}

impl Client {
    pub(super) fn new(descriptor: OwnedFd, door: Arc<Door>, now: Instant) -> Self {
        Self {
            stream: TcpStream::from(descriptor),
            door,
            bytes: Vec::new(),
            answered: false,
            left: 0,
            deadline: now.after(HEAD),
        }
    }

    /// Whether it has its answer.
    pub(super) const fn is_answered(&self) -> bool {
        self.answered
    }

    /// Goes on as far as it can; `turn` numbers the answers, which are written in `out`.
    pub(super) fn step(&mut self, now: Instant, turn: usize, out: &mut String) -> Next {
        let mut buffer = [0; 4096];
        loop {
            let read = match self.stream.read(&mut buffer) {
                Ok(0) => return Next::Close,
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Next::Close,
            };
            if self.answered {
                self.left = self.left.saturating_add(read.len());
                if self.left > MOST_LEFT {
                    return Next::Close;
                }
                continue;
            }
            match self.head(read) {
                Head::Partial => {}
                Head::Foreign => return Next::Pass,
                Head::Whole { bare, more } => {
                    self.door.answer(turn, bare, out);
                    self.answered = true;
                    let sent = self.stream.write_all(out.as_bytes());
                    // Where nothing more comes, nothing can be unread.
                    if sent.is_err() || !more || self.stream.shutdown(Shutdown::Write).is_err() {
                        return Next::Close;
                    }
                    self.bytes = Vec::new();
                    self.deadline = now.after(LINGER);
                }
            }
        }
    }

    /// What the bytes so far are; they are kept unless they are a whole head.
    fn head(&mut self, read: &[u8]) -> Head {
        let paths = &self.door.paths;
        if self.bytes.is_empty() {
            let head = head::read(read, paths);
            if !matches!(head, Head::Whole { .. }) {
                self.bytes.extend_from_slice(read);
            }
            return head;
        }
        self.bytes.extend_from_slice(read);
        let most = self.bytes.len().min(MOST_BYTES);
        head::read(self.bytes.get(..most).unwrap_or_default(), paths)
    }

    /// Gives it to JavaScript, with what was read.
    pub(super) fn pass(self) {
        self.door.pass(OwnedFd::from(self.stream), self.bytes);
    }
}

impl AsRawFd for Client {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}
