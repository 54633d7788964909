//! Places for calls and a queue of futures before them: what bulkhead and adaptive limiter share.

mod state;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use ::tokio::time::{Sleep, sleep_until};
use pin_project_lite::pin_project;

use self::state::{Seen, State, Ticket};
use super::{clock, wakers};
use crate::classify::{Judge, Judged};
use crate::error::{Error, Rejected, Why};
use crate::limit::adaptive::AdaptiveLimiter;
use crate::limit::bulkhead::{Bulkhead, Entry, Refusal};
use crate::limit::priority::Ask;
use crate::policy::Stage;
use crate::sync::lock;
use crate::{Instant, Outcome, events};

#[derive(Debug)]
pub(super) struct Places {
    state: Mutex<State>,
    pub(super) name: Box<str>,
    pub(super) stage: Stage,
}

impl Places {
    pub(super) fn new(
        bulkhead: Bulkhead,
        adaptive: Option<AdaptiveLimiter>,
        name: Box<str>,
        stage: Stage,
    ) -> Arc<Self> {
        let state = State::new(bulkhead, adaptive);
        Arc::new(Self { state: Mutex::new(state), name, stage })
    }

    /// Acts on the state, and wakes whom that moved.
    pub(super) fn change<R>(&self, act: impl FnOnce(&mut State, Instant) -> R) -> R {
        let now = clock::now();
        let mut state = lock(&self.state);
        let answer = act(&mut state, now);
        while let Some(moved) = state.move_up(now) {
            // Not under the lock: a waker may run the future at once.
            if let Some(waker) = moved {
                drop(state);
                waker.wake();
                state = lock(&self.state);
            }
        }
        answer
    }

    /// The same for other limits, at which all who wait look anew.
    pub(super) fn renew<R>(&self, act: impl FnOnce(&mut State, Instant) -> R) -> R {
        let (answer, waiting) = self.change(|state, now| (act(state, now), state.all()));
        wakers::wake(waiting);
        answer
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        read(&lock(&self.state))
    }

    /// A place, if there is one that nobody waits for.
    #[inline]
    pub(super) fn at_once(self: &Arc<Self>) -> Option<Place> {
        // What is measured is how long calls take, for which a bulkhead does not care.
        let since = if self.is_timed() { clock::now() } else { Instant::ZERO };
        let mut state = lock(&self.state);
        if state.bulkhead.running() >= state.bulkhead.may_run() {
            return None;
        }
        // It is admitted: there is room.
        let _ = state.bulkhead.enter(since);
        state.begin();
        drop(state);
        Some(Place { places: Arc::clone(self), since, outcome: Outcome::Neutral })
    }

    fn enter(&self, ask: Option<&Ask<'_>>) -> Result<(Entered, Instant), Rejected> {
        let now = clock::now();
        let mut state = lock(&self.state);
        let State { bulkhead, priorities, .. } = &mut *state;
        let entry = match (ask, priorities) {
            (Some(ask), Some(priorities)) => bulkhead.enter_ranked(now, priorities, ask),
            _ => bulkhead.enter(now),
        };
        match entry {
            Ok(Entry::Admitted) => {
                state.begin();
                Ok((Entered::Now, now))
            }
            Ok(Entry::Queued(waiter)) => Ok((Entered::Queued(state.sit(waiter, now)), now)),
            Err(refusal) => {
                let why = match refusal {
                    Refusal::Full => Why::Full,
                    Refusal::Priority(_) => Why::Priority,
                };
                Err(self.refuse(why, &state))
            }
        }
    }

    /// A call is over that had a place.
    fn leave(&self, since: Instant, outcome: Outcome) {
        if !self.is_timed() {
            let mut state = lock(&self.state);
            if state.bulkhead.queued() == 0 {
                return state.bulkhead.leave();
            }
        }
        self.change(|state, now| state.end(since, outcome, now));
    }

    /// Whether it matters how long calls take.
    fn is_timed(&self) -> bool {
        self.stage == Stage::Adaptive
    }

    fn refuse(&self, why: Why, state: &State) -> Rejected {
        let retry_after = state.adaptive.as_ref().and_then(|adaptive| adaptive.terms().retry_after);
        Rejected { by: self.stage, why, retry_after }
    }

    /// A place at once, or not at all.
    pub(super) fn try_acquire(self: &Arc<Self>) -> Result<Place, Rejected> {
        self.at_once().ok_or_else(|| {
            let rejected = self.read(|state| self.refuse(Why::Full, state));
            events::rejected(&self.name, &rejected);
            rejected
        })
    }
}

enum Entered {
    Now,
    Queued(Ticket),
}

/// A place of a bulkhead or an adaptive limiter, given back when it is dropped.
#[derive(Debug)]
#[must_use = "a place dropped at once is free again"]
pub struct Place {
    places: Arc<Places>,
    since: Instant,
    outcome: Outcome,
}

impl Place {
    /// The call in it has ended so: an adaptive limiter learns from that, a bulkhead does not.
    pub fn settle(mut self, judged: Judged) {
        self.outcome = outcome(judged);
    }
}

/// Runs a call in its place.
pub(super) async fn run<T, E>(
    places: &Arc<Places>,
    judge: impl Judge<T, E>,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, Error<E>> {
    let place = match places.at_once() {
        Some(place) => place,
        None => AcquirePlace::new(Arc::clone(places), None).await?,
    };
    let result = future.await;
    place.settle(judge.judge(result.as_ref()));
    result.map_err(Error::Failed)
}

/// What an end means to a policy that knows three.
pub(super) const fn outcome(judged: Judged) -> Outcome {
    match judged {
        Judged::Success => Outcome::Success,
        Judged::Failure(_) => Outcome::Failure,
        Judged::Refused(_) | Judged::Neutral => Outcome::Neutral,
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.leave(self.since, self.outcome);
    }
}

#[derive(Debug)]
enum Wait {
    New,
    Queued(Ticket),
    Over,
}

pin_project! {
    /// A place to come. Dropped before it has come, its place in the queue is given up.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AcquirePlace {
        places: Arc<Places>,
        ask: Option<Ranked>,
        wait: Wait,
        #[pin]
        expiry: Option<Sleep>,
    }

    impl PinnedDrop for AcquirePlace {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Wait::Queued(ticket) = *this.wait {
                let waker = this.places.change(|state, now| state.give_up(ticket, now));
                drop(waker);
            }
        }
    }
}

/// How calls get at the places of a handle on [`Places`].
macro_rules! ways_in {
    ($limiter:ident) => {
        impl $limiter {
            /// Turns calls away by `priorities` as the queue fills; see
            /// [`acquire_ranked`](Self::acquire_ranked).
            #[must_use]
            pub fn prioritized(self, priorities: Priorities) -> Self {
                self.0.change(|state, _| state.priorities = Some(priorities));
                self
            }

            /// A place to come, in the order of asking; settle it with how the call in it ended.
            pub fn acquire(&self) -> AcquirePlace {
                AcquirePlace::new(Arc::clone(&self.0), None)
            }

            /// The same for a call of that importance, which counts where calls are
            /// [`prioritized`](Self::prioritized).
            pub fn acquire_ranked(&self, ask: &Ask<'_>) -> AcquirePlace {
                AcquirePlace::new(Arc::clone(&self.0), Some(Ranked::of(ask)))
            }

            /// A place that is free, if nobody waits for it.
            pub(crate) fn at_once(&self) -> Option<Place> {
                self.0.at_once()
            }

            /// A place at once.
            ///
            /// # Errors
            /// Why there is none.
            pub fn try_acquire(&self) -> Result<Place, Rejected> {
                self.0.try_acquire()
            }
        }
    };
}
pub(super) use ways_in;

/// How important a call is, and whose.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    pub(super) rank: crate::limit::priority::Rank,
    pub(super) user: Option<Box<str>>,
}

impl Ranked {
    pub(super) fn of(ask: &Ask<'_>) -> Self {
        Self { rank: ask.rank, user: ask.user.map(Into::into) }
    }
}

impl AcquirePlace {
    pub(super) const fn new(places: Arc<Places>, ask: Option<Ranked>) -> Self {
        Self { places, ask, wait: Wait::New, expiry: None }
    }
}

impl Future for AcquirePlace {
    type Output = Result<Place, Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let places = &*this.places;
        if matches!(this.wait, Wait::New) {
            let ask = this.ask.as_ref();
            let ask = ask.map(|ask| Ask { rank: ask.rank, user: ask.user.as_deref() });
            *this.wait = Wait::Over;
            match places.enter(ask.as_ref()) {
                Ok((Entered::Now, since)) => {
                    let outcome = Outcome::Neutral;
                    return Poll::Ready(Ok(Place { places: Arc::clone(places), since, outcome }));
                }
                Ok((Entered::Queued(ticket), _)) => *this.wait = Wait::Queued(ticket),
                Err(rejected) => {
                    events::rejected(&places.name, &rejected);
                    return Poll::Ready(Err(rejected));
                }
            }
        }
        let Wait::Queued(ticket) = *this.wait else { return Poll::Pending };
        // A second look if time is up at the first.
        for _ in 0..2 {
            places.change(|_, _| ());
            // Nothing is locked where it is dropped, at the end of this turn.
            let (seen, _before) = places.change(|state, now| state.look(ticket, cx.waker(), now));
            let timeout = match seen {
                Seen::Waits(timeout) => timeout,
                Seen::Admitted(since) => {
                    *this.wait = Wait::Over;
                    let (places, outcome) = (Arc::clone(places), Outcome::Neutral);
                    return Poll::Ready(Ok(Place { places, since, outcome }));
                }
                Seen::Expired => {
                    *this.wait = Wait::Over;
                    let rejected = places.read(|state| places.refuse(Why::Expired, state));
                    events::rejected(&places.name, &rejected);
                    return Poll::Ready(Err(rejected));
                }
            };
            let Some(timeout) = timeout else { return Poll::Pending };
            let due = clock::at(ticket.since.after(timeout));
            match this.expiry.as_mut().as_pin_mut() {
                None => this.expiry.set(Some(sleep_until(due))),
                // The time to wait may have been changed meanwhile.
                Some(expiry) if expiry.deadline() != due => expiry.reset(due),
                Some(_) => {}
            }
            let Some(expiry) = this.expiry.as_mut().as_pin_mut() else { return Poll::Pending };
            if expiry.poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
