//! One client's connection: request after request, each to whose turn it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use seawall::http::pass::{self, PassedRequest, pass_request};
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;
use tokio::time::{Duration, Instant};

use super::super::relay::{Accepted, Shared, Stage, Staged};
use super::Front;
use super::answer::Refusal;
use super::buffer::Buffer;
use super::counters::{UnderWay, add};
use super::links::Link;
use super::search::Search;
use super::stream::{Stream, end, read, write};
use super::tunnel::tunnel;
use super::watch::Watched;

/// How long a client may take to read a refusal, and how many bytes of its request are read away
/// meanwhile: closed with unread bytes, the answer would be lost.
const LINGER: Duration = Duration::from_secs(1);
const MOST_BYTES: usize = 1 << 20;

/// What becomes of a client's connection after a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Another request may come.
    Keep,
    /// It is closed.
    Close,
    /// It is closed once the client has read what it was told, of which it may send more.
    Linger,
}

/// What a client sends next.
enum Next {
    Request(PassedRequest),
    /// Something else than HTTP/1, which one worker gets as it is.
    Foreign,
    Refused(Refusal),
    Closed,
}

/// A client's connection.
pub(super) struct Client<'a> {
    pub(super) front: &'a Front,
    pub(super) shared: &'a Shared,
    pub(super) stream: TcpStream,
    pub(super) watch: Watched,
    /// What was read and not passed on.
    pub(super) buffer: Buffer,
    /// The head for the worker.
    pub(super) head: Vec<u8>,
    /// The head for the client.
    pub(super) answer: Vec<u8>,
    pub(super) peer: SocketAddr,
    address: String,
    staged: Staged,
    pub(super) since: Instant,
    /// While a request is under way.
    pub(super) under_way: Option<UnderWay<'a>>,
}

/// Serves a connection until it ends.
pub(super) async fn serve(front: Arc<Front>, shared: Arc<Shared>, accepted: Accepted) {
    super::start_sweeping(&front);
    let Accepted { stream, peer, mut staged } = accepted;
    staged.set(Stage::Offered);
    let mut client = Client {
        front: &front,
        shared: &shared,
        stream,
        watch: Watched::new(),
        buffer: Buffer::default(),
        head: Vec::new(),
        answer: Vec::new(),
        peer,
        address: peer.ip().to_canonical().to_string(),
        staged,
        since: Instant::now(),
        under_way: None,
    };
    if client.run().await == End::Linger {
        client.linger().await;
    }
}

impl Client<'_> {
    async fn run(&mut self) -> End {
        let mut first = true;
        loop {
            // Requests that came together need no read between them.
            consume_budget().await;
            let end = match self.next(first).await {
                Next::Request(request) => self.exchange(request).await,
                Next::Refused(refusal) => {
                    add(match refusal {
                        Refusal::Late => &self.front.counters.late,
                        _ => &self.front.counters.malformed,
                    });
                    self.refuse(refusal, None).await
                }
                Next::Foreign => self.pass_whole().await,
                Next::Closed => End::Close,
            };
            self.under_way = None;
            if end != End::Keep {
                return end;
            }
            first = false;
            self.buffer.shrink();
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.front.stopping.load(Ordering::Relaxed)
    }

    /// Whether nothing of a request has come: an empty line may end the one before (RFC 9112 section
    /// 2.2).
    fn is_between(&self) -> bool {
        b"\r\n".starts_with(self.buffer.filled())
    }

    /// Reads the head of the next request.
    async fn next(&mut self, first: bool) -> Next {
        let Front { config, limits, forwarding, .. } = self.front;
        let from = pass::Client { address: &self.address, forwarding: *forwarding };
        let descriptor = self.stream.descriptor();
        let mut begun = !self.is_between();
        let wait = if begun || first { config.head_for } else { config.keep_for };
        self.watch.up.aim(descriptor, libc::SHUT_RD, wait);
        if !begun {
            self.watch.is_idle_at(Some(descriptor));
        }
        self.head.clear();
        self.since = Instant::now();
        let mut seen = 0;
        let next = loop {
            let bytes = self.buffer.filled();
            // Only the end of a line can complete a head.
            let more = bytes.get(seen..).unwrap_or_default();
            if more.contains(&b'\n') || bytes.len() >= limits.head || (seen == 0 && begun) {
                if first && is_foreign(bytes) {
                    break Next::Foreign;
                }
                match pass_request(bytes, &from, *limits, &mut self.head) {
                    Ok(Some(request)) => break Next::Request(request),
                    Ok(None) => {}
                    Err(fault) => break Next::Refused(Refusal::Fault(fault)),
                }
            }
            seen = bytes.len();
            match read(&self.stream, &mut self.buffer).await {
                Ok(0) if self.watch.up.was_late() && begun => break Next::Refused(Refusal::Late),
                Ok(0) | Err(_) => break Next::Closed,
                Ok(_) if begun || self.is_between() => {}
                Ok(_) => {
                    begun = true;
                    self.watch.is_idle_at(None);
                    self.watch.up.aim(descriptor, libc::SHUT_RD, config.head_for);
                    self.since = Instant::now();
                }
            }
        };
        self.watch.is_idle_at(None);
        self.watch.up.clear();
        next
    }

    /// From now on it counts as served.
    pub(super) fn is_served(&mut self) {
        self.staged.set(Stage::Open);
    }

    /// Answers in place of a worker. The connection is kept where nothing of the request is to come.
    pub(super) async fn refuse(
        &mut self,
        refusal: Refusal,
        request: Option<&PassedRequest>,
    ) -> End {
        let whole =
            |request: &&PassedRequest| request.body == pass::Body::None && request.keep_alive;
        let keep = request.filter(whole).is_some() && !self.is_stopping();
        if matches!(refusal, Refusal::Full | Refusal::Nobody) {
            self.staged.set(Stage::Leaving);
        }
        // One or two seconds, so that not all of them come back at once.
        let seconds = 1 + (self.shared.workers.draw() * 2.0) as u64;
        let is_head = request.is_some_and(|request| request.head);
        let answer = refusal.answer(seconds, keep, is_head);
        let (mark, stall) = (&self.watch.down, self.front.config.stall_for);
        mark.aim(self.stream.descriptor(), libc::SHUT_RDWR, stall);
        let written = write(&self.stream, answer.as_bytes(), &[]).await;
        mark.clear();
        match written {
            Ok(()) if keep => {
                self.staged.set(Stage::Open);
                End::Keep
            }
            Ok(()) => End::Linger,
            Err(_) => End::Close,
        }
    }

    /// Reads away what a client still sends, so that it can read what it was told.
    async fn linger(&mut self) {
        self.staged.set(Stage::Leaving);
        end(&self.stream);
        self.watch.up.aim(self.stream.descriptor(), libc::SHUT_RD, LINGER);
        let mut left = MOST_BYTES;
        loop {
            self.buffer.consume(self.buffer.len());
            match read(&self.stream, &mut self.buffer).await {
                Ok(count) if count > 0 && left > count => left -= count,
                _ => return,
            }
        }
    }

    /// What is no HTTP/1 goes to one worker as it is: TLS, and HTTP/2 that was not asked for first.
    async fn pass_whole(&mut self) -> End {
        let mut search = Search::new(self.buffer.len());
        let Ok((counted, mut link)) = self.reach(&mut search, true).await else {
            return End::Close;
        };
        self.shared.workers.succeeded(counted.worker());
        add(&self.front.counters.tunnels);
        let half_open = self.front.half_open;
        let Link { socket, buffer, .. } = &mut link;
        tunnel(&self.stream, &mut self.buffer, socket, buffer, half_open, false).await;
        End::Close
    }
}

/// Whether these are the first bytes of something else than HTTP/1: a TLS handshake, or HTTP/2
/// (RFC 9113 section 3.4).
fn is_foreign(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x16) || bytes.starts_with(b"PRI * HTTP/2")
}
