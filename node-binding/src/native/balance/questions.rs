//! Connections about which a function of the user's is asked, with the first bytes of their
//! client, which are looked at and left where they are.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use seawall::balance::BalanceConfig;

use super::clock;
use super::peer::Waiting;
use super::poll::Poll;

/// What the function is asked.
pub(super) struct Question {
    pub(super) id: u64,
    pub(super) head: Vec<u8>,
    pub(super) address: SocketAddr,
}

/// Tells the thread of JavaScript; false where it cannot.
pub(super) type Tell = Box<dyn Fn(Question) -> bool + Send>;

/// Whose head is not complete yet.
struct Peeking {
    waiting: Waiting,
    address: SocketAddr,
    until: u64,
}

pub(super) struct Questions {
    tell: Tell,
    inspect: u64,
    max_head: usize,
    next: u64,
    peeking: Vec<Peeking>,
    asked: Vec<(u64, Waiting)>,
}

impl Questions {
    pub(super) fn new(tell: Tell, config: BalanceConfig) -> Self {
        Self {
            tell,
            inspect: u64::try_from(config.inspect_for.as_nanos()).unwrap_or(u64::MAX),
            max_head: config.max_header_bytes as usize,
            next: 0,
            peeking: Vec::new(),
            asked: Vec::new(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.peeking.is_empty() && self.asked.is_empty()
    }

    /// Looks at a connection; as a rule the request has come with it.
    pub(super) fn add(&mut self, waiting: Waiting, address: SocketAddr) {
        let until = clock::now().saturating_add(self.inspect);
        self.look(Peeking { waiting, address, until });
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
        self.asked.retain(|(_, waiting)| waiting.until > now);
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

    fn look(&mut self, peeking: Peeking) {
        let mut head = vec![0; self.max_head];
        let late = clock::now() >= peeking.until;
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
            Err(_) => return,
        };
        head.truncate(count);
        let ended = count == 0;
        if !late && !ended && count < self.max_head && !is_complete(&head) {
            wake_for_more(&peeking.waiting.stream, count);
            self.peeking.push(peeking);
            return;
        }
        self.next = self.next.wrapping_add(1);
        let (id, address) = (self.next, peeking.address);
        wake_for_more(&peeking.waiting.stream, 0);
        if (self.tell)(Question { id, head, address }) {
            self.asked.push((id, peeking.waiting));
        }
    }
}

/// Whether there is a whole head, or something that will never be one.
fn is_complete(head: &[u8]) -> bool {
    // A TLS handshake begins so; its first record says how long it is.
    if let [0x16, _, _, high, low, rest @ ..] = head {
        return rest.len() >= usize::from(*high) << 8 | usize::from(*low);
    }
    head.windows(4).any(|bytes| bytes == b"\r\n\r\n")
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
