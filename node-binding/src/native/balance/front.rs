//! The thread of the primary that accepts connections and offers them to workers.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use seawall::balance::{BalanceConfig, Balancer, Load, shed_share};
use seawall::{Instant, Rng};
use socket2::Socket;

use super::super::address::{BACKLOG, bind};
use super::super::ask::Choice;
use super::super::board::{Board, Word};
use super::clock::{self, MILLI};
use super::peer::{Peer, Settled, Waiting, bit};
use super::poll::Poll;
use super::questions::Questions;
use super::refuse::Refused;
use super::wire;

/// Accepted at a time before anything else is looked at.
const BATCH: usize = 64;
/// How often hot workers are looked for.
const REBALANCE: u64 = 500 * MILLI;
/// Places for workers; a number beyond is no worker of ours.
const MOST_WORKERS: usize = 1024;

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

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// What the thread is told.
enum Order {
    /// Clients may connect.
    Open(TcpListener),
    /// A function of the user's has answered about a connection.
    Choose(u64, Choice),
    /// No more connections are accepted; the thread ends when none waits any more.
    Stop,
}

struct Shared {
    counters: Counters,
    orders: Mutex<Vec<Order>>,
    /// What workers say of themselves, by their numbers.
    boards: Mutex<Vec<(usize, Arc<Board>)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        let control = UnixListener::bind(control)?;
        control.set_nonblocking(true)?;
        let (wake, woken) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            counters: Counters::default(),
            orders: Mutex::default(),
            boards: Mutex::default(),
        });
        let balancer = Balancer::new(config)
            .map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem.field))?;
        let run = Run {
            shared: Arc::clone(&shared),
            listener: None,
            stopped: false,
            control,
            woken,
            peers: Vec::new(),
            newcomers: Vec::new(),
            waiting: VecDeque::new(),
            questions,
            refused: Refused::default(),
            balancer,
            rng: Rng::new(seed),
            config,
            loads: Vec::new(),
            deaf_until: 0,
            closed: 0,
            rebalance_at: 0,
        };
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

    /// What each worker says of itself at this instant, by its number.
    pub(super) fn loads(&self) -> Vec<(usize, Load)> {
        locked(&self.shared.boards).iter().map(|(index, board)| (*index, board.load(0))).collect()
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

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

struct Run {
    shared: Arc<Shared>,
    listener: Option<TcpListener>,
    stopped: bool,
    control: UnixListener,
    woken: UnixStream,
    peers: Vec<Peer>,
    /// Connected to the control socket, but not yet introduced.
    newcomers: Vec<UnixStream>,
    waiting: VecDeque<Waiting>,
    /// Where a function of the user's chooses.
    questions: Option<Questions>,
    refused: Refused,
    balancer: Balancer,
    rng: Rng,
    config: BalanceConfig,
    loads: Vec<Load>,
    /// Until when nothing is accepted, after an error.
    deaf_until: u64,
    /// Closed because the user's function failed.
    closed: usize,
    /// When hot workers are looked for next.
    rebalance_at: u64,
}

impl Run {
    fn run(mut self) {
        let mut poll = Poll::default();
        loop {
            self.settle();
            self.serve();
            self.refused.sweep();
            self.rebalance();
            self.publish();
            if self.stopped && self.is_idle() {
                return;
            }
            if let Some(questions) = &mut self.questions {
                questions.sweep();
                for waiting in questions.take_late() {
                    self.refuse(waiting);
                }
            }
            poll.clear();
            let woken = poll.readable(self.woken.as_raw_fd());
            let control = poll.readable(self.control.as_raw_fd());
            let newcomers: Vec<usize> =
                self.newcomers.iter().map(|new| poll.readable(new.as_raw_fd())).collect();
            let peers: Vec<usize> =
                self.peers.iter().map(|peer| poll.readable(peer.descriptor())).collect();
            // What the queue has no room for waits in the kernel.
            let asked = self.questions.as_ref().map_or(0, Questions::len);
            let room = self.waiting.len().saturating_add(asked) < self.config.max_waiting as usize;
            let room = room && clock::now() >= self.deaf_until;
            let listener = self.listener.as_ref().filter(|_| room);
            let listener = listener.map(|listener| poll.readable(listener.as_raw_fd()));
            let asked = self.questions.as_ref().map(|questions| questions.watch(&mut poll));
            if poll.wait(self.wait()).is_err() {
                // Only for want of memory: what is under way must not be lost for that.
                thread::sleep(Duration::from_millis(10));
                continue;
            }
            if let (Some(questions), Some(asked)) = (&mut self.questions, asked) {
                questions.read(&poll, &asked);
            }
            if poll.happened(woken) {
                self.obey();
            }
            for (place, at) in peers.iter().enumerate().rev() {
                if poll.happened(*at) {
                    self.listen(place);
                }
            }
            for (place, at) in newcomers.iter().enumerate().rev() {
                if poll.happened(*at) {
                    self.introduce(place);
                }
            }
            if poll.happened(control) {
                self.meet();
            }
            if listener.is_some_and(|at| poll.happened(at)) {
                _ = self.accept();
            }
        }
    }

    /// How long nothing has to be done unless something happens.
    fn wait(&self) -> Option<u64> {
        let now = clock::now();
        let offers = self.peers.iter().filter_map(Peer::next_end).min();
        let patience = self.waiting.iter().map(|waiting| waiting.until).min();
        let next = offers.into_iter().chain(patience).min();
        let next = next.map(|at| at.saturating_sub(now));
        // Whether a worker has become ready is only seen in its memory.
        let look = (!self.waiting.is_empty()).then_some(MILLI);
        let deaf = Some(self.deaf_until.saturating_sub(now)).filter(|wait| *wait > 0);
        let asked = self.questions.as_ref().and_then(|questions| questions.wait(now));
        let rebalance = (self.peers.len() > 1).then(|| self.rebalance_at.saturating_sub(now));
        [next, look, deaf, asked, rebalance, self.refused.wait()].into_iter().flatten().min()
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.questions.as_ref().is_none_or(|questions| questions.len() == 0)
            && self.refused.len() == 0
            && self.peers.iter().all(|peer| peer.open_offers() == 0)
    }

    fn publish(&self) {
        let Counters { waiting, offered, leaving, workers, asked, closed, .. } =
            &self.shared.counters;
        let set =
            |counter: &AtomicU64, count: usize| counter.store(count as u64, Ordering::Relaxed);
        set(waiting, self.waiting.len());
        set(offered, self.peers.iter().map(Peer::open_offers).sum());
        set(leaving, self.refused.len());
        set(workers, self.peers.len());
        if let Some(questions) = &self.questions {
            set(asked, questions.len());
            set(closed, self.closed.saturating_add(questions.gone()));
        }
    }

    fn obey(&mut self) {
        let mut bytes = [0; 64];
        while io::Read::read(&mut self.woken, &mut bytes).is_ok_and(|count| count > 0) {}
        let orders = std::mem::take(&mut *locked(&self.shared.orders));
        for order in orders {
            match order {
                Order::Open(listener) => self.listener = Some(listener),
                Order::Choose(id, choice) => self.chosen(id, choice),
                Order::Stop => {
                    // Who is connected already would be reset with the listener.
                    while self.accept() {}
                    (self.stopped, self.listener) = (true, None);
                }
            }
        }
    }

    fn note(&self, error: &io::Error) {
        let number = error.raw_os_error().and_then(|number| u64::try_from(number).ok());
        self.shared.counters.accept_error.store(number.unwrap_or(0), Ordering::Relaxed);
    }

    /// Whether there may be more.
    fn accept(&mut self) -> bool {
        let until = clock::now().saturating_add(nanos(self.config.patience));
        for _ in 0..BATCH {
            let Some(listener) = &self.listener else { return false };
            let (stream, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => {
                    self.note(&error);
                    // For want of descriptors or memory: to ask again at once would not help.
                    self.deaf_until = clock::now().saturating_add(50 * MILLI);
                    return false;
                }
            };
            add(&self.shared.counters.accepted, 1);
            // As `net.Server` does for HTTP; here it costs the worker nothing.
            let _ = stream.set_nodelay(true);
            let waiting = Waiting { stream, until, tried: 0, named: None };
            match &mut self.questions {
                Some(questions) => questions.add(waiting, peer),
                None => self.place(waiting),
            }
        }
        true
    }

    fn chosen(&mut self, id: u64, choice: Choice) {
        let Some(waiting) = self.questions.as_mut().and_then(|questions| questions.take(id)) else {
            return;
        };
        // Patience is with workers: it begins when the function has answered.
        let until = clock::now().saturating_add(nanos(self.config.patience));
        match choice {
            Choice::Worker(worker) => {
                self.place(Waiting { named: Some(worker), until, ..waiting });
            }
            Choice::Anybody => self.place(Waiting { until, ..waiting }),
            // Dropped, which closes it.
            Choice::Nobody => self.closed = self.closed.saturating_add(1),
        }
    }

    /// Hears what a worker says.
    fn listen(&mut self, place: usize) {
        let Some(peer) = self.peers.get_mut(place) else { return };
        let (index, is_there) = (peer.index, peer.listen());
        let mut settled = Settled::default();
        let untaken = peer.give_back(&mut settled);
        self.settled(settled);
        let now = Instant::from_nanos(clock::now());
        for _ in 0..untaken {
            self.balancer.failed(index, now);
        }
        if !is_there {
            self.gone(place);
        }
    }

    /// Offers a connection, or lets it wait.
    fn place(&mut self, waiting: Waiting) {
        if let Err(waiting) = self.try_place(waiting) {
            self.waiting.push_back(waiting);
        }
    }

    fn try_place(&mut self, waiting: Waiting) -> Result<(), Waiting> {
        let now = clock::now();
        let named = waiting.named.filter(|worker| self.may_have(*worker, &waiting, now));
        let picked = named.or_else(|| self.pick(now, waiting.tried));
        let Some(picked) = picked else { return Err(waiting) };
        let until = now.saturating_add(nanos(self.config.offer_for));
        match self.peers.iter_mut().find(|peer| peer.index == picked) {
            Some(peer) => peer.offer(waiting, until).inspect_err(|_| {
                self.balancer.failed(picked, Instant::from_nanos(now));
            }),
            None => Err(waiting),
        }
    }

    /// Whether a worker that was named can take it: it has not failed to yet.
    fn may_have(&self, worker: usize, waiting: &Waiting, now: u64) -> bool {
        let peer = self.peers.iter().find(|peer| peer.index == worker);
        waiting.tried & bit(worker) == 0 && peer.is_some_and(|peer| peer.load(now).ready)
    }

    /// Tells hot workers which share of their kept connections to give up.
    fn rebalance(&mut self) {
        let now = clock::now();
        if now < self.rebalance_at || self.peers.len() < 2 {
            return;
        }
        self.rebalance_at = now.saturating_add(REBALANCE);
        self.look(now);
        for peer in &self.peers {
            peer.board().set(Word::Shed, shed_share(&self.loads, peer.index));
        }
    }

    /// Reads what all workers say of themselves.
    fn look(&mut self, now: u64) {
        self.loads.clear();
        let instant = Instant::from_nanos(now);
        for peer in &mut self.peers {
            if peer.index >= self.loads.len() {
                self.loads.resize(peer.index + 1, Load::default());
            }
            let load = peer.load(now);
            if load.ready && !peer.was_ready {
                self.balancer.started(peer.index, instant);
            }
            peer.was_ready = load.ready;
            self.loads[peer.index] = load;
        }
    }

    fn pick(&mut self, now: u64, tried: u64) -> Option<usize> {
        self.look(now);
        let instant = Instant::from_nanos(now);
        // Whoever did not take it in time gets it again only where nobody else is there.
        let mut untried = self.loads.clone();
        for (index, load) in untried.iter_mut().enumerate() {
            load.ready &= tried & bit(index) == 0;
        }
        if tried != 0
            && let Some(picked) = self.balancer.pick(&untried, instant, &mut self.rng)
        {
            return Some(picked);
        }
        self.balancer.pick(&self.loads, instant, &mut self.rng)
    }

    fn settle(&mut self) {
        let mut settled = Settled::default();
        let now = clock::now();
        for peer in &mut self.peers {
            let before = settled.claimed;
            peer.settle(now, &mut settled);
            if settled.claimed != before {
                self.balancer.succeeded(peer.index);
            }
        }
        self.settled(settled);
    }

    fn settled(&mut self, settled: Settled) {
        let Settled { claimed, taken_back } = settled;
        add(&self.shared.counters.handed, claimed);
        add(&self.shared.counters.taken_back, taken_back.len() as u64);
        // They have waited longest.
        for waiting in taken_back.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// Offers what waits, oldest first, and refuses what has waited long enough.
    fn serve(&mut self) {
        while let Some(waiting) = self.waiting.pop_front() {
            if let Err(waiting) = self.try_place(waiting) {
                self.waiting.push_front(waiting);
                break;
            }
        }
        let now = clock::now();
        let late = |waiting: &Waiting| waiting.until <= now;
        if !self.waiting.iter().any(late) {
            return;
        }
        for waiting in std::mem::take(&mut self.waiting) {
            if late(&waiting) {
                self.refuse(waiting);
            } else {
                self.waiting.push_back(waiting);
            }
        }
    }

    fn refuse(&mut self, waiting: Waiting) {
        add(&self.shared.counters.refused, 1);
        // One or two seconds, so that not all of them come back at once.
        let seconds = 1 + (self.rng.unit() * 2.0) as u64;
        self.refused.add(waiting.stream, seconds);
    }

    fn meet(&mut self) {
        while let Ok((stream, _)) = self.control.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.newcomers.push(stream);
            }
        }
    }

    /// Reads who it is: its index, its process, and the descriptor of its board.
    fn introduce(&mut self, place: usize) {
        let Some(stream) = self.newcomers.get(place) else { return };
        let greeting = wire::receive(stream.as_fd());
        if matches!(&greeting, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            return;
        }
        let stream = self.newcomers.swap_remove(place);
        let Ok(([index, _pid], Some(board))) = greeting else { return };
        let Ok(index) = usize::try_from(index) else { return };
        if index >= MOST_WORKERS {
            return;
        }
        let Ok(board) = Board::map(&std::fs::File::from(board)) else { return };
        if let Some(old) = self.peers.iter().position(|peer| peer.index == index) {
            self.gone(old);
        }
        let board = Arc::new(board);
        locked(&self.shared.boards).push((index, Arc::clone(&board)));
        self.peers.push(Peer::new(index, stream, board));
    }

    fn gone(&mut self, place: usize) {
        let mut settled = Settled::default();
        let peer = self.peers.swap_remove(place);
        locked(&self.shared.boards).retain(|(index, _)| *index != peer.index);
        peer.leave(&mut settled);
        self.settled(settled);
    }
}
