//! The front of a primary, as the thread of JavaScript holds it: an address, and a thread that
//! accepts there.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use seawall::Rng;
use seawall::balance::{BalanceConfig, Balancer, Load};
use socket2::Socket;

use super::super::address::{BACKLOG, bind};
use super::super::ask::Choice;
use super::super::board::{Board, Word};
use super::questions::Questions;
use super::run::Run;

/// What has been counted so far.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) handed: AtomicU64,
    pub(super) taken_back: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) offered: AtomicU64,
    pub(super) leaving: AtomicU64,
    /// About which a function of the user's is asked.
    pub(super) asked: AtomicU64,
    /// Closed without an answer: the client was gone, or the user's function failed.
    pub(super) closed: AtomicU64,
    pub(super) workers: AtomicU64,
    /// The number of the last error of `accept`, 0 for none.
    pub(super) accept_error: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// What the thread is told.
pub(super) enum Order {
    /// Clients may connect.
    Open(TcpListener),
    /// A function of the user's has answered about a connection.
    Choose(u64, Choice),
    /// No more connections are accepted; the thread ends when none waits any more.
    Stop,
}

/// What both threads know.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) counters: Counters,
    pub(super) orders: Mutex<Vec<Order>>,
    /// What workers say of themselves, by their numbers.
    pub(super) boards: Mutex<Vec<(usize, Arc<Board>)>>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running front.
pub(super) struct Front {
    shared: Arc<Shared>,
    wake: UnixStream,
    address: SocketAddr,
    /// Bound, until it listens.
    socket: RefCell<Option<Socket>>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    /// Takes `host` and `port` for clients, and listens for workers on `control`.
    pub(super) fn start(
        host: &str,
        port: u16,
        control: &Path,
        config: BalanceConfig,
        seed: u64,
        questions: Option<Questions>,
    ) -> io::Result<Self> {
        let socket = bind(host, port)?;
        // As `net.Server` does for HTTP. What is accepted has it from the listener.
        socket.set_tcp_nodelay(true)?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        let control = UnixListener::bind(control)?;
        control.set_nonblocking(true)?;
        let (wake, woken) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        let shared = Arc::new(Shared::default());
        let balancer = Balancer::new(config)
            .map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem.field))?;
        let rng = Rng::new(seed);
        let run = Run::new(Arc::clone(&shared), control, woken, questions, balancer, rng);
        let thread = thread::Builder::new().name("seawall-front".into()).spawn(|| run.run())?;
        let socket = RefCell::new(Some(socket));
        Ok(Self { shared, wake, address, socket, thread: Some(thread) })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// What each worker says of itself at this instant, by its number, and how long its answers take.
    pub(super) fn loads(&self) -> Vec<(usize, Load, f64)> {
        let boards = locked(&self.shared.boards);
        boards
            .iter()
            .map(|(index, board)| (*index, board.load(0), board.word(Word::Latency)))
            .collect()
    }

    /// Lets clients connect. Another process may have come first since the address was bound.
    pub(super) fn open(&self) -> io::Result<()> {
        let Some(socket) = self.socket.take() else { return Ok(()) };
        socket.listen(BACKLOG)?;
        self.tell(Order::Open(socket.into()));
        Ok(())
    }

    /// What a function of the user's has answered about the connection `id`.
    pub(super) fn choose(&self, id: u64, choice: Choice) {
        self.tell(Order::Choose(id, choice));
    }

    /// Stops accepting. What waits is still offered.
    pub(super) fn stop(&self) {
        drop(self.socket.take());
        self.tell(Order::Stop);
    }

    /// Whether the thread has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn tell(&self, order: Order) {
        locked(&self.shared.orders).push(order);
        let _ = io::Write::write(&mut &self.wake, &[1]);
    }
}
