//! A client and a worker, and the bytes between them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use seawall::balance::{Half, LINGER};
use socket2::SockRef;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, sleep};

use super::super::relay::{Offer, Stage, Upstream};
use super::Passing;
use super::pipe::{Failed, Pipe};

/// When is looked for the first time whether a worker has taken a connection; then after twice as long.
const FIRST_LOOK: Duration = Duration::from_millis(1);

type Moved = Poll<Result<(), Failed>>;

/// How it ended.
pub(super) enum End {
    /// Both sides have said all, or one of them is gone.
    Done,
    /// The worker did not take the connection; what the client sent is sent to another.
    TakenBack { sent: Vec<u8>, ended: bool },
}

/// A connection between a client and a worker, as a future that ends with it.
pub(super) struct Carry<'a> {
    passing: &'a mut Passing,
    upstream: Upstream,
    up: Pipe,
    down: Pipe,
    /// Until the worker has taken it.
    offer: Option<Offer>,
    /// When is looked again whether the worker has taken it, or at half a connection.
    timer: Option<Pin<Box<Sleep>>>,
    /// When the offer ends, and after how long is looked again at it.
    offered_until: Instant,
    again: Duration,
    /// What was seen since the worker ended its half.
    half: Half,
    /// How many reads there were when was last looked whether it is idle.
    seen: u64,
    /// Whether the client spoke last: then it waits for an answer.
    asked: bool,
    /// Since when; where the choice among workers does not go by that, it is not known.
    asked_at: Option<Instant>,
    /// Where the worker cannot tell idle connections to leave: when it takes no more of them.
    leaving: Option<Pin<Box<OwnedNotified>>>,
}

impl<'a> Carry<'a> {
    /// `spoke`: the client has said something already.
    pub(super) fn new(
        passing: &'a mut Passing,
        upstream: Upstream,
        up: Pipe,
        offer: Option<Offer>,
        spoke: bool,
    ) -> Self {
        let offer_for = passing.shared.config.offer_for;
        let timer = offer.is_some().then(|| Box::pin(sleep(FIRST_LOOK.min(offer_for))));
        let (offered_until, again) = (Instant::now() + offer_for, FIRST_LOOK);
        let timed = passing.shared.workers.timed;
        let worker = upstream.worker();
        let leaving = (!worker.introduced).then(|| Box::pin(worker.leaving()));
        let down = Pipe::default();
        let asked_at = (timed && spoke).then(Instant::now);
        let mut carry = Self {
            passing,
            upstream,
            up,
            down,
            offer,
            timer,
            offered_until,
            again,
            half: Half::default(),
            seen: 0,
            asked: spoke,
            asked_at,
            leaving,
        };
        if carry.offer.is_none() {
            carry.taken();
        }
        carry
    }

    fn move_up(&mut self, context: &mut Context<'_>) -> Moved {
        let client = &mut self.passing.accepted.stream;
        let moved = self.up.poll(context, client, &mut self.upstream);
        if self.offer.is_some() || !matches!(moved, Poll::Ready(Err(Failed::Writing))) {
            return moved;
        }
        // The worker wants no more, but may have answered: closed with unread bytes, the connection
        // would be reset and the answer lost.
        self.up.sink();
        self.up.poll(context, client, &mut self.upstream)
    }

    fn move_down(&mut self, context: &mut Context<'_>) -> Moved {
        let client = &mut self.passing.accepted.stream;
        let moved = self.down.poll(context, &mut self.upstream, client);
        if self.offer.is_some() || !matches!(moved, Poll::Ready(Err(Failed::Reading))) {
            return moved;
        }
        if self.down.reads > 0 {
            // It closed before it had read everything, which is no reason to lose its answer.
            self.down.ended = true;
            return self.down.poll(context, &mut self.upstream, client);
        }
        // Cut off without a word: the client is not to take that for an end.
        let _ = SockRef::from(&*client).set_linger(Some(Duration::ZERO));
        moved
    }

    /// Looks whether the worker has taken it, or will not.
    fn offered(&mut self, context: &mut Context<'_>, up: &Moved, down: &Moved) -> Option<End> {
        let offer = self.offer.as_mut()?;
        if self.down.reads > 0 || offer.is_claimed() {
            self.taken();
            return None;
        }
        let is_gone = matches!(up, Poll::Ready(Err(Failed::Reading)))
            || matches!(down, Poll::Ready(Err(Failed::Writing)));
        if is_gone {
            return Some(End::Done);
        }
        let is_refused = matches!(up, Poll::Ready(Err(_))) || down.is_ready();
        let mut is_late = false;
        let timer = self.timer.as_mut()?;
        while !is_late && timer.as_mut().poll(context).is_ready() {
            // That it was taken is only seen in memory. One that was has to be seen soon, because its
            // slot is needed for others, and who waits for a slow answer, or says nothing, shows nothing.
            is_late = Instant::now() >= self.offered_until;
            self.again *= 2;
            timer.as_mut().reset(self.offered_until.min(Instant::now() + self.again));
        }
        if !is_late && !is_refused {
            return None;
        }
        if offer.withdraw() {
            let sent = self.up.kept.take().unwrap_or_default();
            return Some(End::TakenBack { sent, ended: self.up.ended });
        }
        self.taken();
        None
    }

    /// The worker has it: nothing is sent again.
    fn taken(&mut self) {
        self.passing.accepted.staged.set(Stage::Open);
        self.passing.shared.workers.succeeded(self.upstream.worker());
        (self.offer, self.timer, self.up.kept) = (None, None, None);
    }

    /// Notes how long the answer took that has begun, and that another one is waited for.
    fn time(&mut self, spoke: bool, answered: bool) {
        if answered && let Some(since) = self.asked_at.take() {
            self.passing.shared.workers.answered(self.upstream.worker(), since.elapsed());
        }
        if spoke {
            self.asked_at = Some(Instant::now());
        }
    }

    /// True where the worker takes no more connections, and this one is idle: its application cannot
    /// know when it may end without losing an answer.
    fn is_unwanted(&mut self, context: &mut Context<'_>) -> bool {
        let Some(leaving) = &mut self.leaving else { return false };
        if !self.upstream.worker().has_left() && leaving.as_mut().poll(context).is_pending() {
            return false;
        }
        if self.timer.is_none() {
            self.seen = self.up.reads.wrapping_add(self.down.reads);
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        while timer.as_mut().poll(context).is_ready() {
            let reads = self.up.reads.wrapping_add(self.down.reads);
            if std::mem::replace(&mut self.seen, reads) == reads && !self.asked {
                return true;
            }
            timer.as_mut().reset(Instant::now() + LINGER);
        }
        false
    }

    /// The worker has ended its half. True where it is gone, or the client says nothing more.
    fn half(&mut self, context: &mut Context<'_>) -> bool {
        if self.upstream.is_hung_up() && !self.up.sinks() {
            return true;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(Half::LOOK)));
        while timer.as_mut().poll(context).is_ready() {
            if self.half.is_over(self.up.reads, self.upstream.is_hung_up()) {
                return true;
            }
            timer.as_mut().reset(Instant::now() + Half::LOOK);
        }
        false
    }
}

impl Future for Carry<'_> {
    type Output = End;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End> {
        let carry = self.get_mut();
        let (sent, got) = (carry.up.reads, carry.down.reads);
        let up = carry.move_up(context);
        let down = carry.move_down(context);
        let (spoke, answered) = (carry.up.reads != sent, carry.down.reads != got);
        carry.asked = spoke || (carry.asked && !answered);
        if carry.passing.shared.workers.timed {
            carry.time(spoke, answered);
        }
        if carry.offer.is_some() {
            if let Some(end) = carry.offered(context, &up, &down) {
                return Poll::Ready(end);
            }
            if carry.offer.is_none() {
                // What was not read in order to keep it can be read now.
                context.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let is_over = match (up, down) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => true,
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => true,
            (Poll::Ready(Ok(())), Poll::Pending) => !carry.passing.settings.half_open,
            (Poll::Pending, Poll::Ready(Ok(()))) => carry.half(context),
            (Poll::Pending, Poll::Pending) => carry.is_unwanted(context),
        };
        if is_over { Poll::Ready(End::Done) } else { Poll::Pending }
    }
}
