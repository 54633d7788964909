//! The thread of the primary that accepts connections and offers them to workers.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use seawall::balance::{BalanceConfig, Balancer, Load, Tried};
use seawall::{Instant, Rng};

use super::super::ask::Choice;
use super::clock::{self, MILLI};
use super::front::{Counters, Order, Shared, add, locked};
use super::peer::{Peer, Waiting};
use super::poll::Poll;
use super::questions::Questions;
use super::refuse::Refused;

/// Accepted at a time before anything else is looked at.
const BATCH: usize = 64;

pub(super) struct Run {
    pub(super) shared: Arc<Shared>,
    listener: Option<TcpListener>,
    stopped: bool,
    pub(super) control: UnixListener,
    woken: UnixStream,
    pub(super) peers: Vec<Peer>,
    /// Connected to the control socket, but not yet introduced.
    pub(super) newcomers: Vec<UnixStream>,
    pub(super) waiting: VecDeque<Waiting>,
    /// Where a function of the user's chooses.
    questions: Option<Questions>,
    pub(super) refused: Refused,
    pub(super) balancer: Balancer,
    pub(super) rng: Rng,
    pub(super) config: BalanceConfig,
    pub(super) loads: Vec<Load>,
    /// Until when nothing is accepted, after an error.
    deaf_until: u64,
    /// When a worker has answered last.
    pub(super) answered_at: u64,
    /// Whether the listener is not looked at, because every worker is full.
    held: bool,
    /// Whether there may be connections to accept.
    due: bool,
    /// Closed because the user's function failed.
    closed: usize,
    /// When hot workers are looked for next.
    pub(super) rebalance_at: u64,
}

impl Run {
    pub(super) fn new(
        shared: Arc<Shared>,
        control: UnixListener,
        woken: UnixStream,
        questions: Option<Questions>,
        balancer: Balancer,
        rng: Rng,
    ) -> Self {
        Self {
            shared,
            listener: None,
            stopped: false,
            control,
            woken,
            peers: Vec::new(),
            newcomers: Vec::new(),
            waiting: VecDeque::new(),
            questions,
            refused: Refused::default(),
            config: *balancer.config(),
            balancer,
            rng,
            loads: Vec::new(),
            deaf_until: 0,
            answered_at: 0,
            held: false,
            due: false,
            closed: 0,
            rebalance_at: 0,
        }
    }

    pub(super) fn run(mut self) {
        let mut poll = Poll::default();
        loop {
            self.settle();
            self.serve();
            if std::mem::take(&mut self.due) && !self.is_full() {
                _ = self.accept();
            }
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
            self.turn(&mut poll);
        }
    }

    /// Waits for something to happen, and does what follows.
    fn turn(&mut self, poll: &mut Poll) {
        poll.clear();
        let woken = poll.readable(self.woken.as_raw_fd());
        let control = poll.readable(self.control.as_raw_fd());
        let newcomers = poll.len();
        for newcomer in &self.newcomers {
            poll.readable(newcomer.as_raw_fd());
        }
        let peers = poll.len();
        for peer in &self.peers {
            poll.readable(peer.descriptor());
        }
        // What the queue has no room for waits in the kernel.
        let asked = self.questions.as_ref().map_or(0, Questions::len);
        let room = self.waiting.len().saturating_add(asked) < self.config.max_waiting as usize;
        let room = room && clock::now() >= self.deaf_until;
        self.held = room && self.listener.is_some() && self.is_full();
        let listener = self.listener.as_ref().filter(|_| room && !self.held);
        let listener = listener.map(|listener| poll.readable(listener.as_raw_fd()));
        let asked = self.questions.as_ref().map(|questions| questions.watch(poll));
        if poll.wait(self.wait()).is_err() {
            // Only for want of memory: what is under way must not be lost for that.
            thread::sleep(Duration::from_millis(10));
            return;
        }
        if let (Some(questions), Some(asked)) = (&mut self.questions, asked) {
            questions.read(poll, &asked);
        }
        if poll.happened(woken) {
            self.obey();
        }
        for place in (0..self.peers.len()).rev() {
            if poll.happened(peers + place) {
                self.listen(place);
            }
        }
        for place in (0..self.newcomers.len()).rev() {
            if poll.happened(newcomers + place) {
                self.introduce(place);
            }
        }
        if poll.happened(control) {
            self.meet();
        }
        // After it is seen what workers have answered by now.
        self.due = self.held || listener.is_some_and(|at| poll.happened(at));
    }

    /// Whether connections had better wait in the kernel, where nobody is woken for each of them:
    /// every worker has its offers and will answer at any moment. Once one is late it is not.
    fn is_full(&mut self) -> bool {
        let now = clock::now();
        if self.questions.is_some() || now >= self.full_until() {
            return false;
        }
        self.look(now);
        self.balancer.is_full(&self.loads, instant(now))
    }

    fn full_until(&self) -> u64 {
        self.answered_at.saturating_add(nanos(self.config.offer_for))
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
        let held = self.held.then(|| self.full_until().saturating_sub(now));
        let asked = self.questions.as_ref().and_then(|questions| questions.wait(now));
        let rebalance = (self.peers.len() > 1).then(|| self.rebalance_at.saturating_sub(now));
        [next, look, deaf, held, asked, rebalance, self.refused.wait()].into_iter().flatten().min()
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

    /// Accepts and offers; whether there may be more.
    fn accept(&mut self) -> bool {
        let until = self.patience();
        let mut more = true;
        for _ in 0..BATCH {
            let Some(listener) = &self.listener else { return false };
            let (stream, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => {
                    more = false;
                    if error.kind() != io::ErrorKind::WouldBlock {
                        self.note(&error);
                        // For want of descriptors or memory: to ask again at once would not help.
                        self.deaf_until = clock::now().saturating_add(50 * MILLI);
                    }
                    break;
                }
            };
            add(&self.shared.counters.accepted, 1);
            let waiting = Waiting { stream, until, tried: Tried::default(), named: None };
            match &mut self.questions {
                Some(questions) => questions.add(waiting, peer),
                None => {
                    self.place(waiting);
                    // Nobody takes more at present.
                    if !self.waiting.is_empty() {
                        break;
                    }
                }
            }
        }
        self.send();
        more
    }

    /// Until when a connection waits for a worker that begins to now.
    fn patience(&self) -> u64 {
        clock::now().saturating_add(nanos(self.config.patience))
    }

    fn chosen(&mut self, id: u64, choice: Choice) {
        let Some(waiting) = self.questions.as_mut().and_then(|questions| questions.take(id)) else {
            return;
        };
        // Patience is with workers: it begins when the function has answered.
        let until = self.patience();
        match choice {
            Choice::Worker(worker) => {
                self.place(Waiting { named: Some(worker), until, ..waiting });
            }
            Choice::Anybody => self.place(Waiting { until, ..waiting }),
            // Dropped, which closes it.
            Choice::Nobody => self.closed = self.closed.saturating_add(1),
        }
        self.send();
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The same moment, as the core has it.
pub(super) fn instant(now: u64) -> Instant {
    Instant::from_nanos(now)
}
