//! What fronts share that stay between client and worker: the listener with its threads, the table
//! of workers and the choice among them, questions to functions of the user's, refusals, counts.
//!
//! A front gives [`start`] a function that serves one accepted connection. It may take its time to
//! choose: [`Workers::next`] waits until a worker can take it, [`Questions::ask`] asks JavaScript,
//! [`refuse`] answers 503. The connection's [`Staged`] says what it is at present; dropped, it counts
//! nowhere any more.
//!
//! One front of the kind for each process. Its functions for JavaScript are here, but for the one that
//! starts it.

mod counters;
mod introduced;
mod listener;
mod offer;
mod questions;
mod refuse;
mod upstream;
mod worker;
mod workers;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use napi::bindgen_prelude::Float64Array;
use napi::{Error, Result};
use napi_derive::napi;
use seawall::balance::{BalanceConfig, Load};
use socket2::{SockRef, Socket, TcpKeepalive};
use tokio::sync::watch;

use super::address::{BACKLOG, bind};
use super::ask::{Choice, Tell};
use super::board::SLOTS;
use super::failed::failed;
use listener::Phase;

pub(crate) use counters::{Counters, Stage};
pub(crate) use introduced::introduce;
pub(crate) use listener::Accepted;
pub(crate) use offer::Offer;
pub(crate) use questions::Questions;
pub(crate) use refuse::refuse;
pub(crate) use upstream::Upstream;
pub(crate) use worker::{Address, Worker, is_ours};
pub(crate) use workers::Workers;
#[cfg(unix)]
pub(crate) use {counters::Staged, upstream::Stream, worker::Counted};

thread_local! {
    static RELAY: RefCell<Option<Relay>> = const { RefCell::new(None) };
}

/// After how long without a byte the system asks a client whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// What the connections of a front have in common.
pub(crate) struct Shared {
    pub(crate) config: BalanceConfig,
    pub(crate) counters: Arc<Counters>,
    pub(crate) workers: Workers,
    /// Where a function of the user's chooses.
    pub(crate) questions: Option<Questions>,
}

/// A running front.
struct Relay {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    address: SocketAddr,
    /// Bound, until it listens.
    socket: Option<Socket>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        // They end by themselves, and nothing has to wait for that.
        self.phase.send_replace(Phase::Ended);
    }
}

/// As `net.Server` sets it for HTTP, and so that clients that vanished are found out.
fn manners<'a, S>(socket: &'a S) -> io::Result<()>
where
    SockRef<'a>: From<&'a S>,
{
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE))
}

/// Where a front is to be, and how it chooses.
pub(crate) struct Start<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) threads: usize,
    pub(crate) config: BalanceConfig,
    pub(crate) seed: u64,
    /// Tells a function of the user's that is to choose.
    pub(crate) tell: Option<Tell>,
}

/// Takes the address for clients, in place of the front there was; `serve` is called for each
/// connection, on a thread of the front.
pub(crate) fn start<S, F>(start: Start<'_>, serve: S) -> io::Result<()>
where
    S: Fn(Arc<Shared>, Accepted) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let Start { host, port, threads, config, seed, tell } = start;
    // Unlike a connection that is handed over, an offer here is taken back as a whole.
    let config = BalanceConfig { credit: SLOTS as u32, ..config };
    let socket = bind(host, port)?;
    // Elsewhere than on Linux connections do not inherit it.
    manners(&socket)?;
    let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    let shared = Arc::new(Shared {
        config,
        counters: Arc::default(),
        workers: Workers::new(config, seed)?,
        questions: tell.map(|tell| Questions::new(tell, config.patience)),
    });
    let (phase, watched) = watch::channel(Phase::Bound);
    let mut relay = Relay { shared, phase, address, socket: Some(socket), threads: Vec::new() };
    for number in 0..threads.max(1) {
        let (shared, watched) = (Arc::clone(&relay.shared), watched.clone());
        let name = format!("seawall-front-{number}");
        relay.threads.push(listener::start(name, shared, watched, serve.clone())?);
    }
    RELAY.replace(Some(relay));
    Ok(())
}

fn with_relay<T>(act: impl FnOnce(&mut Relay) -> T) -> Option<T> {
    RELAY.with_borrow_mut(|relay| relay.as_mut().map(act))
}

/// The port that clients connect to.
#[napi]
pub fn relay_port() -> u32 {
    with_relay(|relay| u32::from(relay.address.port())).unwrap_or(0)
}

/// Lets clients connect.
///
/// # Errors
///
/// What listening failed with: another process may have come first since the address was bound.
#[napi]
pub fn relay_open() -> Result<()> {
    let open = with_relay(|relay| {
        let Some(socket) = relay.socket.take() else { return Ok(()) };
        socket.listen(BACKLOG)?;
        relay.phase.send_replace(Phase::Open(Arc::new(socket.into())));
        Ok(())
    });
    open.unwrap_or(Ok(())).map_err(|error: io::Error| failed(&error))
}

/// The process `pid` takes connections at `address`, a path or `host:port`, for the place `place`;
/// `board` is the file it tells of itself in, empty for none, and `introduced` whether it is to be
/// told of clients before their first byte.
#[napi]
pub fn relay_worker(
    place: u32,
    pid: u32,
    address: String,
    introduced: bool,
    board: String,
) -> Result<()> {
    let board = Some(Path::new(&board)).filter(|board| !board.as_os_str().is_empty());
    let worker = Address::parse(&address)
        .and_then(|address| Worker::new(place as usize, pid, address, introduced, board));
    let worker = worker.map_err(|error| failed(&error))?;
    with_relay(|relay| relay.shared.workers.add(worker))
        .ok_or_else(|| Error::from_reason("no front runs"))
}

/// The process `pid` has ended.
#[napi]
pub fn relay_gone(pid: u32) {
    with_relay(|relay| relay.shared.workers.remove(pid));
}

/// Counts, in the order of the package's `FRONT_COUNTS`, and then those that are open.
#[napi]
pub fn relay_counts() -> Float64Array {
    let counts = with_relay(|relay| {
        let Counters {
            accepted,
            handed,
            taken_back,
            refused,
            closed,
            waiting,
            offered,
            asked,
            leaving,
            accept_error,
            open,
            ..
        } = &*relay.shared.counters;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let workers = relay.shared.workers.count() as f64;
        let first =
            [accepted, handed, taken_back, refused, closed, waiting, offered, asked, leaving];
        let mut counts: Vec<f64> = first.into_iter().map(count).collect();
        counts.extend([workers, count(accept_error), count(open)]);
        counts
    });
    Float64Array::new(counts.unwrap_or_default())
}

/// What each worker says of itself at this instant, as `front_loads`.
#[napi]
pub fn relay_loads() -> Float64Array {
    let loads = with_relay(|relay| relay.shared.workers.loads()).unwrap_or_default();
    Float64Array::new(loads.into_iter().flat_map(load_numbers).collect())
}

/// A load in nine numbers: the worker's place, whether it is ready, connections, requests under way,
/// ms its loop has not turned, pressure, percent of a processor, part of the heap in use, and how
/// many ms its answers take, where that is measured.
pub(super) fn load_numbers((place, load, latency): (usize, Load, f64)) -> [f64; 9] {
    let Load { ready, connections, in_flight, block_ms, pressure, cpu_percent, heap, .. } = load;
    let (connections, in_flight) = (f64::from(connections), f64::from(in_flight));
    let ready = f64::from(u8::from(ready));
    [place as f64, ready, connections, in_flight, block_ms, pressure, cpu_percent, heap, latency]
}

/// Answers a question: which worker gets the connection `id`; -1: it is closed; -2: whoever is next.
#[napi]
pub fn relay_choose(id: f64, worker: i32) {
    with_relay(|relay| {
        if let Some(questions) = &relay.shared.questions {
            questions.answer(id as u64, Choice::from_number(worker));
        }
    });
}

/// Accepts no more; what is under way goes on.
#[napi]
pub fn relay_stop() {
    with_relay(|relay| {
        drop(relay.socket.take());
        relay.phase.send_replace(Phase::Stopped);
    });
}

/// Whether nobody waits for a worker any more after `relay_stop`.
#[napi]
pub fn relay_settled() -> bool {
    with_relay(|relay| relay.shared.counters.is_settled()).unwrap_or(true)
}

/// Whether nothing is under way any more after `relay_stop`.
#[napi]
pub fn relay_ended() -> bool {
    with_relay(|relay| relay.threads.iter().all(JoinHandle::is_finished)).unwrap_or(true)
}

/// Drops what is still under way, and the front.
#[napi]
pub fn relay_end() {
    drop(RELAY.take());
}
