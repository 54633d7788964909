//! Bytes carried between clients and workers: a front for any platform, for frameworks that open
//! their sockets themselves, and for workers in another namespace of the network.
//!
//! Nothing is understood of what is carried. A worker of ours is told who the client is in a header of
//! the PROXY protocol before the client's first byte, and by it takes the connection; until it has,
//! the connection can go to another. Idle connections have no buffer and no timer.
//!
//! A function of the user's may get the client's socket itself, as a descriptor beside that of the
//! front: it is closed there before a worker gets the connection, and nothing is read by it unless the
//! function does.
//!
//! A buffer of 64 KiB for each thread, and as much for each direction whose other side is slow; what
//! is read is sent at once, so that a request and its answer cost two reads and two writes. Measured
//! against others by `bench:balance`.

mod buffers;
mod carry;
mod first;
mod pipe;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use napi::Result;
use napi_derive::napi;
use seawall::balance::Tried;
use seawall::http::Networks;
use seawall::http::proxy_protocol::Introduction;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::ask::{Ask, Choice, Lent, tell};
use super::balancing::balance_config;
use super::failed::failed;
use super::relay::{
    self, Accepted, Counters, Offer, Shared, Stage, Start, Upstream, Worker, introduce, is_ours,
    refuse,
};
use crate::options::refused;
use carry::{Carry, End};
use first::First;
use pipe::Pipe;

/// What is decided once for all connections.
#[derive(Clone)]
struct Settings {
    /// For how long connecting to a worker may take.
    connect_for: Duration,
    /// Whether clients are introduced by a balancer in front of this one.
    introduced: bool,
    /// Whose word is taken for it; without, everybody's.
    trusted: Option<Arc<Networks>>,
    /// Whether workers that are not ours are told of clients, too.
    introduce: bool,
    half_open: bool,
    /// Whether the function of the user's gets sockets.
    lends: bool,
}

/// One connection, from its acceptance to its end.
struct Passing {
    shared: Arc<Shared>,
    accepted: Accepted,
    settings: Settings,
    /// Who the client is, and where it connected to.
    who: Option<Introduction>,
    /// The worker a function of the user's has named.
    named: Option<usize>,
    /// The workers that did not take it.
    tried: Tried,
}

/// Takes the address for clients; -1 after a refusal of `options`. Of `settings` there are: how many
/// threads, ms for connecting to a worker, and, 1 for yes, whether clients are introduced by a
/// balancer in front, whether workers that are not ours are told who a client is, whether a client may
/// close its half, and whether `ask` gets sockets. Balancers in front are those in `trusted`, all where
/// that is left out. With `ask`, that function is asked about each connection; where it gets a socket, it
/// is told with -1 as the time when nobody waits for its answer any more.
#[napi]
pub fn proxy_start(
    host: String,
    port: u32,
    options: &[f64],
    settings: &[f64],
    trusted: Option<Vec<String>>,
    seed: f64,
    ask: Option<Ask<'_>>,
) -> Result<f64> {
    let config = match balance_config(options) {
        Ok(config) => config,
        Err(refusal) => return Ok(refusal),
    };
    let trusted = trusted
        .map(|all| Networks::parse(all.iter().map(String::as_str), "proxyProtocol.from"))
        .transpose();
    let trusted = match trusted {
        Ok(trusted) => trusted.map(Arc::new),
        Err(problem) => return Ok(refused(&problem)),
    };
    let port = u16::try_from(port).map_err(|_| napi::Error::from_reason("no such port"))?;
    let setting = |place: usize| settings.get(place).copied().unwrap_or(0.0);
    let said = Settings {
        connect_for: Duration::from_millis(setting(1) as u64),
        introduced: setting(2) > 0.0,
        introduce: setting(3) > 0.0,
        half_open: setting(4) > 0.0,
        lends: setting(5) > 0.0,
        trusted,
    };
    let threads = setting(0) as usize;
    let tell = ask.map(tell).transpose()?;
    let start = Start { host: &host, port, threads, config, seed: seed as u64, tell };
    relay::start(start, move |shared, accepted| serve(shared, accepted, said.clone()))
        .map_err(|error| failed(&error))?;
    Ok(0.0)
}

async fn serve(shared: Arc<Shared>, accepted: Accepted, settings: Settings) {
    let who = introduction(&accepted);
    let passing = Passing { shared, accepted, settings, who, named: None, tried: Tried::default() };
    passing.serve().await;
}

fn introduction(accepted: &Accepted) -> Option<Introduction> {
    let destination = accepted.stream.local_addr().ok()?;
    Some(Introduction { source: accepted.peer, destination })
}

impl Passing {
    async fn serve(mut self) {
        let mut first = First::default();
        if self.is_introduced() && !self.hear(&mut first).await {
            return;
        }
        let mut until = Instant::now() + self.shared.config.patience;
        if self.shared.questions.is_some() {
            let Some(named) = self.ask(&mut first).await else { return };
            // Patience is with workers: it begins when the function has answered.
            until = Instant::now() + self.shared.config.patience;
            match named {
                Some(Choice::Worker(worker)) => self.named = Some(worker),
                Some(Choice::Anybody) => {}
                Some(Choice::Nobody) => return,
                None => return self.refuse(&first).await,
            }
        }
        loop {
            self.accepted.staged.set(Stage::Waiting);
            let next = self.shared.workers.next(self.named, &self.tried, until);
            let Some(worker) = next.await else {
                return self.refuse(&first).await;
            };
            self.accepted.staged.set(Stage::Offered);
            let again = self.tried.contains(worker.place);
            let Some(upstream) = self.connect(&worker, until).await else {
                // Who has not been asked is asked all the same: connecting may have taken all of the time.
                if again && Instant::now() >= until {
                    return self.refuse(&first).await;
                }
                continue;
            };
            match self.carry(upstream, first).await {
                End::Done => return,
                End::TakenBack { sent, ended } => first = First { bytes: sent, ended },
            }
            Counters::add(&self.shared.counters.taken_back);
            self.tried.insert(worker.place);
            // It was with a worker for a while, which it could not know.
            until = until.max(Instant::now() + self.shared.config.patience);
        }
    }

    /// Whether the first bytes are those of a balancer in front.
    fn is_introduced(&self) -> bool {
        let Settings { introduced, trusted, .. } = &self.settings;
        let address = self.accepted.peer.ip();
        *introduced && trusted.as_ref().is_none_or(|trusted| trusted.contains(address))
    }

    async fn refuse(self, first: &First) {
        let Self { shared, accepted: Accepted { stream, staged, .. }, .. } = self;
        refuse(stream, &first.bytes, staged, &shared.workers).await;
    }

    /// Reads who the client is from the balancer in front; false where that makes no sense.
    async fn hear(&mut self, first: &mut First) -> bool {
        self.accepted.staged.set(Stage::Asked);
        let Accepted { stream, .. } = &mut self.accepted;
        match first.header(stream).await {
            None => false,
            Some(None) => true,
            Some(Some(who)) => {
                self.who = Some(who);
                self.accepted.peer = who.source;
                true
            }
        }
    }

    /// What the function of the user's says; nothing where the client is gone.
    async fn ask(&mut self, first: &mut First) -> Option<Option<Choice>> {
        self.accepted.staged.set(Stage::Asked);
        let config = self.shared.config;
        let begun = Instant::now();
        let Accepted { stream, peer, .. } = &mut self.accepted;
        first.head(stream, config.max_header_bytes as usize, config.inspect_for).await.ok()?;
        let questions = self.shared.questions.as_ref()?;
        let mut lent = None;
        if self.settings.lends {
            // For want of descriptors: it is no answer of the function's that it gets none.
            let Ok(socket) = lend(stream) else { return Some(None) };
            lent = Some(socket);
        }
        Some(questions.ask(first.bytes.clone(), *peer, begun.elapsed(), lent).await)
    }

    /// Connects to a worker; where that fails, another one is to be asked.
    async fn connect(&mut self, worker: &Arc<Worker>, until: Instant) -> Option<Upstream> {
        // No descriptor is left in this process, or the worker's queue is full: that is not its fault.
        let excused =
            |failure: &io::Error| is_ours(failure) || failure.kind() == io::ErrorKind::WouldBlock;
        let excused = match timeout(self.settings.connect_for, worker.connect()).await {
            Ok(Ok(upstream)) => return Some(upstream),
            Ok(Err(failure)) => excused(&failure),
            Err(_) => false,
        };
        if excused && Instant::now() < until {
            sleep(Duration::from_millis(10)).await;
            return None;
        }
        Counters::add(&self.shared.counters.taken_back);
        self.shared.workers.failed(worker);
        // Everybody has been asked: not at once again.
        if self.tried.contains(worker.place) {
            sleep(Duration::from_millis(5)).await;
        }
        self.tried.insert(worker.place);
        None
    }

    async fn carry(&mut self, upstream: Upstream, first: First) -> End {
        let worker = Arc::clone(upstream.worker());
        let late = Instant::now() + self.shared.config.offer_for;
        let mut offer = Offer::make(&worker);
        while worker.introduced && offer.is_none() {
            // More than 64 at once: it has to take some of them first, as it would if it were offered.
            if Instant::now() >= late {
                return End::TakenBack { sent: first.bytes, ended: first.ended };
            }
            sleep(Duration::from_millis(1)).await;
            offer = Offer::make(&worker);
        }
        let spoke = !first.bytes.is_empty();
        let mut up = Pipe::with(&first.bytes, first.ended);
        if worker.introduced || self.settings.introduce {
            let mut words = Vec::with_capacity(64);
            introduce(self.who, offer.as_ref().map(Offer::words), &mut words);
            up.begin_with(&words);
        }
        if offer.is_some() {
            up.kept = Some(first.bytes);
        }
        Carry::new(self, upstream, up, offer, spoke).await
    }
}

/// Another descriptor of the same connection.
#[cfg(unix)]
fn lend(stream: &TcpStream) -> io::Result<Lent> {
    std::os::fd::AsFd::as_fd(stream).try_clone_to_owned()
}

#[cfg(not(unix))]
fn lend(_stream: &TcpStream) -> io::Result<Lent> {
    Err(io::ErrorKind::Unsupported.into())
}
