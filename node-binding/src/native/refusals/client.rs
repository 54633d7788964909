//! One connection at a door that is shut: heads in, refusals out.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use seawall::Instant;

use super::door::{Door, KEEP};
use super::head::{self, Head, MOST_BYTES};

/// In which time a head must be there.
const HEAD: Duration = Duration::from_secs(5);
/// How much longer than a client is told a connection is kept, so that nothing crosses its end.
const GRACE: Duration = Duration::from_secs(1);
/// How long the client may take to close after the last answer.
const LINGER: Duration = Duration::from_secs(1);
/// How much of what comes after the last head is thrown away before it is cut off.
const MOST_LEFT: usize = 64 * 1024;
/// How many bytes are read at once.
const CHUNK: usize = 4096;
/// How often it is read from before the others have their turn.
const AT_ONCE: usize = 16;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It has not had an answer yet.
    New,
    /// It has, and may ask again.
    Kept,
    /// It has had its last one: what still comes is thrown away, since closing on unread bytes would
    /// take the answer back.
    Leaving,
}

/// Where answers are written.
#[derive(Default)]
pub(super) struct Desk {
    /// Numbers them.
    turn: usize,
    text: String,
    /// Whether there is no room for connections that are kept.
    pub(super) full: bool,
}

/// A connection.
pub(super) struct Client {
    /// Of whatever family: what is read and written is the same.
    stream: TcpStream,
    pub(super) door: Arc<Door>,
    /// What is there of a head.
    bytes: Vec<u8>,
    phase: Phase,
    left: usize,
    pub(super) deadline: Instant,
}

impl Client {
    pub(super) fn new(descriptor: OwnedFd, door: Arc<Door>, now: Instant) -> Self {
        Self {
            stream: TcpStream::from(descriptor),
            door,
            bytes: Vec::new(),
            phase: Phase::New,
            left: 0,
            deadline: now.after(HEAD),
        }
    }

    /// Whether it has had an answer.
    pub(super) fn is_answered(&self) -> bool {
        self.phase != Phase::New
    }

    /// Whether it wants something that it has not had.
    pub(super) fn is_asking(&self) -> bool {
        self.phase == Phase::New || self.phase == Phase::Kept && !self.bytes.is_empty()
    }

    /// Goes on as far as it can.
    pub(super) fn step(&mut self, now: Instant, desk: &mut Desk) -> Next {
        let mut buffer = [0; CHUNK];
        for _ in 0..AT_ONCE {
            // What it wants now is for JavaScript to answer.
            if self.phase != Phase::Leaving && !self.door.is_shut() {
                // Who goes without a word wants nothing of it.
                let gone = self.bytes.is_empty() && matches!(self.stream.peek(&mut [0]), Ok(0));
                return if gone { Next::Close } else { Next::Pass };
            }
            let read = match self.stream.read(&mut buffer) {
                Ok(0) => return Next::Close,
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Next::Close,
            };
            if self.phase == Phase::Leaving {
                self.left = self.left.saturating_add(read.len());
                if self.left > MOST_LEFT {
                    return Next::Close;
                }
                continue;
            }
            let next = self.hear(read, now, desk);
            // Where there was room for more, more has not come.
            if next != Next::Wait || read.len() < CHUNK && self.phase != Phase::Leaving {
                return next;
            }
        }
        Next::Wait
    }

    /// Answers what is asked in the bytes so far; the rest is kept.
    fn hear(&mut self, read: &[u8], now: Instant, desk: &mut Desk) -> Next {
        let before = std::mem::take(&mut self.bytes);
        let joined = if before.is_empty() { None } else { Some([&before, read].concat()) };
        let mut rest = joined.as_deref().unwrap_or(read);
        desk.text.clear();
        let mut given = 0;
        let (mut next, mut more) = (Next::Wait, false);
        while next == Next::Wait && !rest.is_empty() {
            let most = rest.get(..MOST_BYTES).unwrap_or(rest);
            let mut request = match head::read(most, &self.door.paths) {
                Head::Partial => break,
                Head::Foreign => {
                    next = Next::Pass;
                    break;
                }
                Head::Whole(request) => request,
            };
            request.stays &= !desk.full;
            self.door.answer(desk.turn, request, &mut desk.text);
            desk.turn = desk.turn.wrapping_add(1);
            given += 1;
            rest = rest.get(request.bytes..).unwrap_or_default();
            if !request.stays {
                more = request.more || !rest.is_empty() || read.len() == CHUNK;
                next = Next::Close;
            }
        }
        if given > 0 {
            self.door.refused(given);
            match self.send(desk.text.as_bytes(), now) {
                // Where nothing more comes, nothing can be unread.
                true if next == Next::Close && more => return self.leave(now),
                true => {}
                false => return Next::Close,
            }
        }
        if next != Next::Close {
            self.bytes = rest.to_vec();
        }
        next
    }

    /// Whether all of it is sent: there is room for some answers, unless they are not taken.
    fn send(&mut self, text: &[u8], now: Instant) -> bool {
        if self.phase == Phase::New {
            self.phase = Phase::Kept;
        }
        self.deadline = now.after(KEEP).after(GRACE);
        self.stream.write(text).is_ok_and(|sent| sent == text.len())
    }

    fn leave(&mut self, now: Instant) -> Next {
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return Next::Close;
        }
        self.phase = Phase::Leaving;
        self.deadline = now.after(LINGER);
        Next::Wait
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
