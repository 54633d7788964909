//! Connections about which a function of the user's is asked, with the first bytes of their
//! client, which are looked at and left where they are.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use seawall::balance::BalanceConfig;
use seawall::http::is_whole;

use super::super::ask::{Question, Tell};
use super::clock::{self, MILLI};
use super::peer::Waiting;
use super::poll::Poll;

/// How long an answer is waited for at least, however short the patience is.
const AT_LEAST: u64 = 1000 * MILLI;

/// Whose head is not complete yet.
struct Peeking {
    waiting: Waiting,
    address: SocketAddr,
    since: u64,
    until: u64,
    /// How many bytes there were when it was last looked at.
    seen: usize,
}

pub(super) struct Questions {
    tell: Tell,
    inspect: u64,
    max_head: usize,
    patience: u64,
    next: u64,
    peeking: Vec<Peeking>,
    asked: Vec<(u64, Waiting)>,
    /// Whose answer did not come in time.
    late: Vec<Waiting>,
    /// Clients that went before they were served.
    gone: usize,
}

impl Questions {
    pub(super) fn new(tell: Tell, config: BalanceConfig) -> Self {
        Self {
            tell,
            inspect: u64::try_from(config.inspect_for.as_nanos()).unwrap_or(u64::MAX),
            max_head: config.max_header_bytes as usize,
            patience: u64::try_from(config.patience.as_nanos()).unwrap_or(u64::MAX).max(AT_LEAST),
            next: 0,
            peeking: Vec::new(),
            asked: Vec::new(),
            late: Vec::new(),
            gone: 0,
        }
    }

    /// How many connections there are here.
    pub(super) fn len(&self) -> usize {
        self.peeking.len().saturating_add(self.asked.len())
    }

    /// How many were closed here, without an answer.
    pub(super) const fn gone(&self) -> usize {
        self.gone
    }

    /// Looks at a connection; as a rule the request has come with it.
    pub(super) fn add(&mut self, waiting: Waiting, address: SocketAddr) {
        // Who says nothing must not stop the thread.
        if waiting.stream.set_nonblocking(true).is_err() {
            self.gone = self.gone.saturating_add(1);
            return;
        }
        let since = clock::now();
        let until = since.saturating_add(self.inspect);
        self.look(Peeking { waiting, address, since, until, seen: 0 });
    }

    pub(super) fn watch(&self, poll: &mut Poll) -> Vec<usize> {
        let streams = self.peeking.iter().map(|peeking| &peeking.waiting.stream);
        streams.map(|stream| poll.readable(stream.as_raw_fd())).collect()
    }

    /// Looks again at those that have sent more.
    pub(super) fn read(&mut self, poll: &Poll, places: &[usize]) {
        for (index, place) in places.iter().enumerate().rev() {
            if poll.happened(*place) {
                let peeking = self.peeking.swap_remove(index);
                self.look(peeking);
            }
        }
    }

    /// Asks about those that were waited for long enough, and lets go of those whose answer does
    /// not come.
    pub(super) fn sweep(&mut self) {
        let now = clock::now();
        while let Some(late) = self.peeking.iter().position(|peeking| peeking.until <= now) {
            let peeking = self.peeking.swap_remove(late);
            self.look(peeking);
        }
        while let Some(late) = self.asked.iter().position(|(_, waiting)| waiting.until <= now) {
            self.late.push(self.asked.swap_remove(late).1);
        }
    }

    /// Those whose answer did not come in time.
    pub(super) fn take_late(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.late)
    }

    /// How long until then.
    pub(super) fn wait(&self, now: u64) -> Option<u64> {
        let peeking = self.peeking.iter().map(|peeking| peeking.until);
        let asked = self.asked.iter().map(|(_, waiting)| waiting.until);
        peeking.chain(asked).min().map(|until| until.saturating_sub(now))
    }

    /// The connection an answer is about.
    pub(super) fn take(&mut self, id: u64) -> Option<Waiting> {
        let place = self.asked.iter().position(|(asked, _)| *asked == id)?;
        Some(self.asked.swap_remove(place).1)
    }

    fn look(&mut self, mut peeking: Peeking) {
        let mut head = vec![0; self.max_head];
        let now = clock::now();
        let late = now >= peeking.until;
        let count = match peeking.waiting.stream.peek(&mut head) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if !late {
                    self.peeking.push(peeking);
                    return;
                }
                0
            }
            // Reset: nobody is there to be served.
            Err(_) => {
                self.gone = self.gone.saturating_add(1);
                return;
            }
        };
        head.truncate(count);
        // Readable without more to read: that was all of it.
        let ended = count == peeking.seen;
        if !late && !ended && count < self.max_head && !is_whole(&head) {
            wake_for_more(&peeking.waiting.stream, count);
            peeking.seen = count;
            self.peeking.push(peeking);
            return;
        }
        self.next = self.next.wrapping_add(1);
        let Peeking { mut waiting, address, since, .. } = peeking;
        let id = self.next;
        let waited = now.saturating_sub(since) as f64 / MILLI as f64;
        wake_for_more(&waiting.stream, 0);
        waiting.until = now.saturating_add(self.patience);
        if (self.tell)(Question { id, head, address, waited, socket: None }) {
            self.asked.push((id, waiting));
        } else {
            self.gone = self.gone.saturating_add(1);
        }
    }
}

/// Lets the socket be readable only when there are more than `count` bytes: what has been looked at
/// stays in it, and would wake the thread again and again.
fn wake_for_more(stream: &TcpStream, count: usize) {
    let bytes = libc::c_int::try_from(count.saturating_add(1)).unwrap_or(libc::c_int::MAX);
    // SAFETY: the option's value is an integer that lives until the call returns.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}
