//! A circuit breaker around futures.

use std::borrow::Borrow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
#[cfg(feature = "tower")]
use std::task::Waker;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::clock::TokioClock;
use super::setup::Setup;
#[cfg(feature = "tower")]
use super::wakers::Crowd;
use crate::Outcome;
use crate::breaker::{BreakerConfig, CircuitBreaker, Passed, Paused, Rejection, Settled, State};
use crate::classify::{ByResult, Judge, Judged};
use crate::error::{Error, Rejected};
use crate::events;
use crate::options::Problem;

/// A [`CircuitBreaker`] for futures; clones are the same breaker.
///
/// A call asks for its permit when it is first polled and holds it until its future ends. Dropped
/// before that it is neutral: a probe gives its place back, and nothing is decided.
///
/// ```
/// use seawall::breaker::{BreakerConfig, TripRule};
/// use seawall::error::Error;
/// use seawall::tokio::Breaker;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), seawall::options::Problem> {
/// let config = BreakerConfig { trip: TripRule::Consecutive(2), ..BreakerConfig::default() };
/// let breaker = Breaker::new(config)?;
/// for _ in 0..2 {
///     let _ = breaker.call(async { Err::<(), _>("refused") }).await;
/// }
/// match breaker.call(async { Ok::<_, &str>("never runs") }).await {
///     Err(Error::Rejected(rejected)) => assert!(rejected.retry_after.is_some()),
///     other => unreachable!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Breaker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    circuit: Arc<CircuitBreaker>,
    name: Box<str>,
    /// The state that was told of last.
    told: AtomicU8,
    obeys: AtomicBool,
    /// Services that wait to become ready, and need not where their calls would be refused.
    #[cfg(feature = "tower")]
    waiting: Crowd,
}

impl Breaker {
    /// A closed breaker.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: impl Into<Arc<BreakerConfig>>) -> Result<Self, Problem> {
        Self::with(config, Setup::default())
    }

    /// A closed breaker with a name, or a seed for the jitter of the time it stays open.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn with(config: impl Into<Arc<BreakerConfig>>, setup: Setup) -> Result<Self, Problem> {
        let circuit = Arc::new(CircuitBreaker::new(config, setup.draw())?);
        Ok(Self::of(circuit, setup))
    }

    /// A breaker that others may use as well; their times must be those of [`now`](super::now).
    #[must_use]
    pub fn of(circuit: Arc<CircuitBreaker>, setup: Setup) -> Self {
        let told = AtomicU8::new(circuit.state() as u8);
        Self(Arc::new(Shared {
            circuit,
            name: setup.name.into(),
            told,
            obeys: AtomicBool::new(false),
            #[cfg(feature = "tower")]
            waiting: Crowd::default(),
        }))
    }

    /// Opens at once when the other side asks to be left alone (a throttled failure with a
    /// `Retry-After`), for as long as it says. Off by default.
    #[must_use]
    pub fn opening_on_retry_after(self) -> Self {
        self.0.obeys.store(true, Ordering::Relaxed);
        self
    }

    /// The breaker itself: to force it open, take a snapshot, or ask why it is open.
    #[must_use]
    pub fn circuit(&self) -> &Arc<CircuitBreaker> {
        &self.0.circuit
    }

    /// Its name, empty without one.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.circuit.state()
    }

    /// Runs `future` if the breaker lets it, and takes `Err` as a failure.
    ///
    /// Answers [`Error::Rejected`] without polling `future`, or [`Error::Failed`] with its error.
    pub fn call<F>(&self, future: F) -> BreakerCall<&Self, F, ByResult> {
        self.call_judged(ByResult, future)
    }

    /// The same, where `judge` says what an end of the call means.
    pub fn call_judged<F, J>(&self, judge: J, future: F) -> BreakerCall<&Self, F, J> {
        BreakerCall::new(self, future, judge)
    }

    /// Leave to run a call, settled with how it ended or by being dropped.
    ///
    /// # Errors
    /// Why it may not run.
    pub fn try_acquire(&self) -> Result<BreakerPermit, Rejected> {
        let paused = self.admit()?;
        Ok(BreakerPermit { breaker: self.clone(), paused: Some(paused) })
    }

    #[inline]
    fn admit(&self) -> Result<Paused, Rejected> {
        self.0.circuit.pass().map_or_else(|| self.ask(), Ok)
    }

    #[inline(never)]
    fn ask(&self) -> Result<Paused, Rejected> {
        let permit = self.0.circuit.try_acquire(&TokioClock).map_err(|it| self.refuse(it))?;
        let paused = permit.pause();
        if paused.is_probe() {
            self.watch();
        }
        Ok(paused)
    }

    /// Whether it refuses all calls, for as long as it does.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn refuses(&self) -> bool {
        self.0.circuit.refuses()
    }

    /// What a call would be told now, if it is plain that it would be refused; nothing is counted.
    #[cfg(feature = "tower")]
    pub(crate) fn refusal(&self) -> Option<Rejection> {
        let refusal = self.0.circuit.refusal(&TokioClock);
        if refusal.is_some() {
            self.wake_refused();
        }
        refusal
    }

    /// Tells a call of a refusal that was known before, and counts it.
    #[cfg(feature = "tower")]
    #[cold]
    fn tell(&self, refusal: Rejection) -> Rejected {
        self.0.circuit.refused();
        self.refuse(refusal)
    }

    #[cold]
    fn refuse(&self, rejection: Rejection) -> Rejected {
        self.watch();
        self.wake_refused();
        let rejected = rejection.into();
        events::rejected(&self.0.name, &rejected);
        rejected
    }

    #[inline]
    fn settle(&self, paused: Paused, judged: Judged) {
        let passed = match judged {
            Judged::Success => self.0.circuit.passed(paused, &TokioClock),
            _ => Passed::Not,
        };
        match passed {
            Passed::Counted => {}
            Passed::Told => self.told(),
            Passed::Not => self.settle_slowly(paused, judged),
        }
    }

    /// A success may have opened the breaker: a rate had to wait for enough calls, or for the end of
    /// old ones.
    #[cold]
    #[inline(never)]
    fn told(&self) {
        self.watch();
        self.wake_refused();
    }

    #[inline(never)]
    fn settle_slowly(&self, paused: Paused, judged: Judged) {
        let permit = self.0.circuit.resume(paused);
        match judged {
            Judged::Success => permit.success(&TokioClock),
            Judged::Failure(verdict) => {
                let verdict = verdict.filter(|verdict| verdict.throttled);
                let open_for = verdict
                    .and_then(|verdict| verdict.retry_after)
                    .filter(|_| self.0.obeys.load(Ordering::Relaxed));
                permit.settle(Settled { open_for, ..Outcome::Failure.into() }, &TokioClock);
            }
            Judged::Refused(_) | Judged::Neutral => drop(permit),
        }
        if judged != Judged::Success || paused.is_probe() || !self.0.circuit.admits() {
            self.watch();
        }
        self.wake_refused();
    }

    /// Who waits to be let through learns that nobody is.
    fn wake_refused(&self) {
        #[cfg(feature = "tower")]
        if self.refuses() {
            self.0.waiting.wake_all();
        }
    }

    /// Tells of a state that is not the one told of last.
    #[cold]
    fn watch(&self) {
        if !cfg!(any(feature = "tracing", feature = "metrics")) {
            return;
        }
        let state = self.0.circuit.state();
        let told = self.0.told.swap(state as u8, Ordering::Relaxed);
        if told != state as u8 {
            events::changed(&self.0.name, from_code(told), state);
        }
    }
}

const fn from_code(code: u8) -> State {
    match code {
        1 => State::Open,
        2 => State::HalfOpen,
        3 => State::Recovering,
        4 => State::Isolated,
        _ => State::Closed,
    }
}

/// A service that waits to become ready, and is to be woken where the breaker begins to refuse.
#[cfg(feature = "tower")]
#[derive(Debug)]
pub(crate) struct Waiting {
    breaker: Breaker,
    seat: usize,
}

#[cfg(feature = "tower")]
impl Waiting {
    pub(crate) fn new(breaker: &Breaker) -> Self {
        Self { seat: breaker.0.waiting.sit_down(), breaker: breaker.clone() }
    }

    /// Whether the breaker refuses; if not, `waker` is woken as soon as it is known to.
    pub(crate) fn is_refused(&self, waker: &Waker) -> bool {
        self.breaker.0.waiting.register(self.seat, waker);
        self.breaker.refuses()
    }
}

#[cfg(feature = "tower")]
impl Drop for Waiting {
    fn drop(&mut self) {
        self.breaker.0.waiting.stand_up(self.seat);
    }
}

/// Leave to run one call. Dropped without an outcome it is neutral.
#[derive(Debug)]
#[must_use = "a permit dropped at once is a call that never ran"]
pub struct BreakerPermit {
    breaker: Breaker,
    paused: Option<Paused>,
}

impl BreakerPermit {
    /// The call ended so.
    pub fn settle(mut self, judged: Judged) {
        if let Some(paused) = self.paused.take() {
            self.breaker.settle(paused, judged);
        }
    }
}

impl Drop for BreakerPermit {
    fn drop(&mut self) {
        if let Some(paused) = self.paused.take() {
            self.breaker.settle(paused, Judged::Neutral);
        }
    }
}

#[derive(Debug)]
enum Step {
    New,
    Running(Paused),
    #[cfg_attr(not(feature = "tower"), allow(dead_code, reason = "made by the layers"))]
    Refused(Rejected),
    Over,
}

pin_project! {
    /// A call through a [`Breaker`], held by reference or as a clone.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct BreakerCall<B: Borrow<Breaker>, F, J> {
        breaker: B,
        judge: J,
        step: Step,
        // None where it was refused before there was one.
        #[pin]
        future: Option<F>,
    }

    impl<B: Borrow<Breaker>, F, J> PinnedDrop for BreakerCall<B, F, J> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Step::Running(paused) = *this.step {
                let breaker: &Breaker = (*this.breaker).borrow();
                breaker.settle(paused, Judged::Neutral);
            }
        }
    }
}

impl<B: Borrow<Breaker>, F, J> BreakerCall<B, F, J> {
    pub(crate) const fn new(breaker: B, future: F, judge: J) -> Self {
        Self { breaker, judge, step: Step::New, future: Some(future) }
    }

    /// The same, where the permit is asked for now, unless it is known that it is refused, and `call`
    /// made only if there is one.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn begin(
        breaker: B,
        judge: J,
        refusal: &mut Option<Rejection>,
        call: impl FnOnce() -> F,
    ) -> Self {
        let shared: &Breaker = breaker.borrow();
        let asked = match *refusal {
            None => shared.admit(),
            Some(known) => {
                *refusal = None;
                Err(shared.tell(known))
            }
        };
        let step = match asked {
            Ok(paused) => Step::Running(paused),
            Err(rejected) => Step::Refused(rejected),
        };
        let admitted = matches!(step, Step::Running(_));
        // Before the call is made, should that panic.
        let mut begun = Self { breaker, judge, step, future: None };
        if admitted {
            begun.future = Some(call());
        }
        begun
    }
}

impl<B, F, J, T, E> Future for BreakerCall<B, F, J>
where
    B: Borrow<Breaker>,
    F: Future<Output = Result<T, E>>,
    J: Judge<T, E>,
{
    type Output = Result<T, Error<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let breaker: &Breaker = (*this.breaker).borrow();
        let paused = match *this.step {
            Step::Running(paused) => paused,
            Step::New => match breaker.admit() {
                Ok(paused) => {
                    *this.step = Step::Running(paused);
                    paused
                }
                Err(rejected) => {
                    *this.step = Step::Over;
                    return Poll::Ready(Err(rejected.into()));
                }
            },
            Step::Refused(rejected) => {
                *this.step = Step::Over;
                return Poll::Ready(Err(rejected.into()));
            }
            // Polled after its end: there is nothing more to come.
            Step::Over => return Poll::Pending,
        };
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        let result = ready!(future.poll(cx));
        // While it is running still: should the judge panic, the permit goes back with the future.
        let judged = this.judge.judge(result.as_ref());
        *this.step = Step::Over;
        breaker.settle(paused, judged);
        Poll::Ready(result.map_err(Error::Failed))
    }
}
