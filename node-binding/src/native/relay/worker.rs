//! One worker, as a front that relays sees it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use seawall::balance::Load;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::super::board::{Board, SLOTS, Word};
use super::super::clock;
use super::upstream::{Stream, Upstream};

/// For how long a worker that did not take a connection in time counts as stuck, until what watches
/// its loop says so or it turns again.
const SILENT_NS: u64 = 100_000_000;
const STUCK_MS: f64 = 10_000.0;

/// Where a worker listens.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    /// A Unix socket.
    #[cfg(unix)]
    Path(PathBuf),
    /// A port.
    Port(SocketAddr),
}

impl Address {
    /// `host:port`, else a path.
    pub(crate) fn parse(text: &str) -> io::Result<Self> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Port(address));
        }
        #[cfg(unix)]
        return Ok(Self::Path(PathBuf::from(text)));
        #[cfg(not(unix))]
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// A process that takes connections.
pub(crate) struct Worker {
    /// Its place, by which the balancer knows it.
    pub(crate) place: usize,
    pub(crate) pid: u32,
    address: Address,
    /// Whether it can be told who the client is before the client's first byte, and claims what it
    /// accepts.
    pub(crate) introduced: bool,
    /// What it says of itself; nothing is known of one without it but what the front counts.
    board: Option<Board>,
    /// Connections, or requests, the front has there.
    open: AtomicU32,
    /// A bit for each slot of the board that is in use.
    slots: AtomicU64,
    silent_until: AtomicU64,
    pub(crate) was_ready: AtomicBool,
    /// Told when it takes no more, or has ended.
    leaving: Arc<Notify>,
    left: AtomicBool,
}

impl Worker {
    pub(crate) fn new(
        place: usize,
        pid: u32,
        address: Address,
        introduced: bool,
        board: Option<&Path>,
    ) -> io::Result<Self> {
        let board = board.map(Board::map_at).transpose()?;
        Ok(Self {
            place,
            pid,
            address,
            introduced: introduced && board.is_some(),
            board,
            open: AtomicU32::new(0),
            slots: AtomicU64::new(0),
            silent_until: AtomicU64::new(0),
            was_ready: AtomicBool::new(false),
            leaving: Arc::default(),
            left: AtomicBool::new(false),
        })
    }

    /// What it says of itself, with what is known here.
    pub(crate) fn load(&self) -> Load {
        let open = self.open.load(Ordering::Relaxed);
        let mut load = match &self.board {
            Some(board) => board.load(self.slots.load(Ordering::Relaxed).count_ones() as usize),
            None => Load { ready: true, in_flight: open, ..Load::default() },
        };
        load.connections = open;
        if !self.introduced {
            load.in_flight = open;
        }
        if self.silent_until.load(Ordering::Relaxed) > clock::now().as_nanos() {
            load.block_ms = load.block_ms.max(STUCK_MS);
        }
        load
    }

    pub(crate) fn board(&self) -> Option<&Board> {
        self.board.as_ref()
    }

    /// Which share of its answers is to end their connection.
    pub(crate) fn shed(&self, share: f64) {
        if let Some(board) = &self.board {
            board.set(Word::Shed, share);
        }
    }

    /// A slot of the board for an offer; nothing where all are in use.
    pub(super) fn take_slot(&self) -> Option<usize> {
        let mut used = self.slots.load(Ordering::Relaxed);
        loop {
            let free = (!used).trailing_zeros() as usize;
            if free >= SLOTS.min(64) {
                return None;
            }
            let taken = used | 1 << free;
            match self.slots.compare_exchange_weak(used, taken, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return Some(free),
                Err(now) => used = now,
            }
        }
    }

    pub(super) fn give_slot(&self, slot: usize) {
        self.slots.fetch_and(!(1 << slot), Ordering::AcqRel);
    }

    /// It did not take what it was offered.
    pub(super) fn was_silent(&self) {
        let until = clock::now().as_nanos().saturating_add(SILENT_NS);
        self.silent_until.store(until, Ordering::Relaxed);
    }

    pub(super) fn spoke(&self) {
        self.silent_until.store(0, Ordering::Relaxed);
    }

    /// It takes no more connections.
    pub(super) fn leave(&self) {
        if !self.left.swap(true, Ordering::AcqRel) {
            self.leaving.notify_waiters();
        }
    }

    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// Ready when it takes no more connections.
    pub(crate) fn leaving(&self) -> OwnedNotified {
        Arc::clone(&self.leaving).notified_owned()
    }

    /// Tells it of one connection more, or less. What is counted here is not read for it: until it
    /// was written, another thread could have written what is newer.
    fn tell(&self, by: f64) {
        if let Some(board) = &self.board {
            board.add(Word::Open, by);
        }
    }

    /// Connects to it.
    pub(crate) async fn connect(self: &Arc<Self>) -> io::Result<Upstream> {
        let count = Counted::new(self);
        Ok(Upstream::new(self.dial().await?, count))
    }

    /// The same, for connections that are not counted: between requests they are nobody's.
    pub(crate) async fn dial(&self) -> io::Result<Stream> {
        Ok(match &self.address {
            #[cfg(unix)]
            Address::Path(path) => Stream::Unix(UnixStream::connect(path).await?),
            Address::Port(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
        })
    }
}

/// Counts a connection of a worker for as long as it lives.
pub(crate) struct Counted(Arc<Worker>);

impl Counted {
    /// One more.
    pub(crate) fn new(worker: &Arc<Worker>) -> Self {
        worker.open.fetch_add(1, Ordering::Relaxed);
        worker.tell(1.0);
        Self(Arc::clone(worker))
    }

    pub(crate) fn worker(&self) -> &Arc<Worker> {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.tell(-1.0);
    }
}

/// Whether an error of connecting is for want of descriptors or memory in this process, which says
/// nothing of the worker.
pub(crate) fn is_ours(error: &io::Error) -> bool {
    let ours = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
    error.raw_os_error().is_some_and(|number| ours.contains(&number))
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    /// Waits until both threads have come to this `step`, without sleeping: they are to go on at once.
    fn meet(arrived: &AtomicUsize, step: usize) {
        arrived.fetch_add(1, Ordering::SeqCst);
        let mut turns = 0_u32;
        while arrived.load(Ordering::SeqCst) < step * 2 {
            turns += 1;
            if turns.is_multiple_of(100) {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn a_worker_whose_last_connection_has_ended_is_told_of_none() {
        const ROUNDS: usize = 5_000;
        let path = std::env::temp_dir().join(format!("seawall-open-{}", std::process::id()));
        drop(Board::create_at(&path).unwrap());
        let address = Address::Path(PathBuf::new());
        let worker = Arc::new(Worker::new(0, 1, address, true, Some(&path)).unwrap());
        std::fs::remove_file(&path).unwrap();
        let arrived = AtomicUsize::new(0);
        let open = || worker.board().unwrap().word(Word::Open);
        let left = thread::scope(|scope| {
            let turns = [0, 1].map(|_| {
                scope.spawn(|| {
                    let mut left = 0;
                    for round in 0..ROUNDS {
                        meet(&arrived, round * 2 + 1);
                        drop(Counted::new(&worker));
                        drop(Counted::new(&worker));
                        meet(&arrived, round * 2 + 2);
                        left += usize::from(open() != 0.0);
                    }
                    left
                })
            });
            turns.map(|turn| turn.join().unwrap())
        });
        assert_eq!(left, [0, 0]);
        assert_eq!(worker.load().connections, 0);
    }
}
