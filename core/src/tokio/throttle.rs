//! Holding futures back while others fail.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use std::borrow::Borrow;

use super::clock;
use super::places::outcome;
use super::setup::Setup;
use crate::classify::{ByResult, Judge, Judged};
use crate::error::{Error, Rejected, Why};
use crate::limit::throttle::{self, ThrottleConfig, ThrottleExplanation};
use crate::options::Problem;
use crate::policy::Stage;
use crate::sync::lock;
use crate::{Outcome, Rng, events};

/// A [`throttle::Throttle`] for futures; clones are the same throttle.
///
/// A call that is dropped before it ends does not count.
///
/// ```
/// use seawall::limit::throttle::ThrottleConfig;
/// use seawall::tokio::{Setup, Throttle};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), seawall::options::Problem> {
/// let throttle = Throttle::with(ThrottleConfig::default(), Setup::named("search").seed(1))?;
/// for _ in 0..100 {
///     let _ = throttle.call(async { Err::<(), _>("overloaded") }).await;
/// }
/// let refused = throttle.explain().refused;
/// assert!(refused > 50, "most are not sent: {refused}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Throttle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<(throttle::Throttle, Rng)>,
    /// No failure is in the window: whatever the time, nothing would be refused.
    untroubled: AtomicBool,
    name: Box<str>,
}

impl Throttle {
    /// A throttle that has seen no call.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: ThrottleConfig) -> Result<Self, Problem> {
        Self::with(config, Setup::default())
    }

    /// A throttle with a name or a seed.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn with(config: ThrottleConfig, setup: Setup) -> Result<Self, Problem> {
        let state = Mutex::new((throttle::Throttle::new(config)?, setup.rng()));
        let untroubled = AtomicBool::new(false);
        Ok(Self(Arc::new(Shared { state, untroubled, name: setup.name.into() })))
    }

    /// Leave to run a call, settled with how it ended or by being dropped.
    ///
    /// # Errors
    /// That it is held back.
    pub fn try_acquire(&self) -> Result<ThrottlePermit, Rejected> {
        self.admit()?;
        Ok(ThrottlePermit(self.clone()))
    }

    #[inline]
    fn admit(&self) -> Result<(), Rejected> {
        if self.0.untroubled.load(Ordering::Relaxed) { Ok(()) } else { self.ask() }
    }

    fn ask(&self) -> Result<(), Rejected> {
        let now = clock::now();
        let mut state = lock(&self.0.state);
        let (throttle, rng) = &mut *state;
        let is_admitted = throttle.admit(now, rng);
        self.0.untroubled.store(throttle.untroubled_until(now).is_some(), Ordering::Relaxed);
        // Who is told of events may ask for the same.
        drop(state);
        if is_admitted {
            return Ok(());
        }
        let rejected = Rejected { by: Stage::Throttle, why: Why::Throttled, retry_after: None };
        events::rejected(&self.0.name, &rejected);
        Err(rejected)
    }

    fn settle(&self, judged: Judged) {
        let (now, outcome) = (clock::now(), outcome(judged));
        let (throttle, _) = &mut *lock(&self.0.state);
        throttle.settle(outcome, now);
        if outcome == Outcome::Failure {
            self.0.untroubled.store(false, Ordering::Relaxed);
        }
    }

    /// Runs `future` unless it is held back, and takes `Err` as a failure.
    ///
    /// Answers [`Error::Rejected`] without polling `future`, or [`Error::Failed`] with its error.
    pub fn call<F>(&self, future: F) -> ThrottleCall<&Self, F, ByResult> {
        self.call_judged(ByResult, future)
    }

    /// The same, where `judge` says what an end of the call means.
    pub fn call_judged<F, J>(&self, judge: J, future: F) -> ThrottleCall<&Self, F, J> {
        ThrottleCall::new(self, future, judge)
    }

    /// Goes on by other options.
    ///
    /// # Errors
    /// The first option that is out of range; nothing has changed then.
    pub fn update(&self, config: ThrottleConfig) -> Result<(), Problem> {
        lock(&self.0.state).0.update(config, clock::now())
    }

    /// The state in numbers.
    #[must_use]
    pub fn explain(&self) -> ThrottleExplanation {
        lock(&self.0.state).0.explain(clock::now())
    }
}

/// Leave to run one call. Dropped without an outcome it does not count.
#[derive(Debug)]
#[must_use = "a permit dropped at once is a call that never ran"]
pub struct ThrottlePermit(Throttle);

impl ThrottlePermit {
    /// The call ended so.
    pub fn settle(self, judged: Judged) {
        self.0.settle(judged);
    }
}

pin_project! {
    /// A call through a [`Throttle`], held by reference or as a clone.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ThrottleCall<B, F, J> {
        throttle: B,
        judge: J,
        step: Step,
        // None where it was refused before there was one.
        #[pin]
        future: Option<F>,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    New,
    Running,
    #[cfg_attr(not(feature = "tower"), allow(dead_code, reason = "made by the layers"))]
    Refused(Rejected),
    Over,
}

impl<B, F, J> ThrottleCall<B, F, J> {
    pub(crate) const fn new(throttle: B, future: F, judge: J) -> Self {
        Self { throttle, judge, step: Step::New, future: Some(future) }
    }

    /// The same, where it is decided now, and `call` made only if it may be.
    #[cfg(feature = "tower")]
    pub(crate) fn begin(throttle: B, judge: J, call: impl FnOnce() -> F) -> Self
    where
        B: Borrow<Throttle>,
    {
        let (step, future) = match throttle.borrow().admit() {
            Ok(()) => (Step::Running, Some(call())),
            Err(rejected) => (Step::Refused(rejected), None),
        };
        Self { throttle, judge, step, future }
    }
}

impl<B, F, J, T, E> Future for ThrottleCall<B, F, J>
where
    B: Borrow<Throttle>,
    F: Future<Output = Result<T, E>>,
    J: Judge<T, E>,
{
    type Output = Result<T, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let throttle: &Throttle = (*this.throttle).borrow();
        match *this.step {
            Step::Running => {}
            Step::Over => return Poll::Pending,
            Step::Refused(rejected) => {
                *this.step = Step::Over;
                return Poll::Ready(Err(rejected.into()));
            }
            Step::New => {
                *this.step = Step::Over;
                throttle.admit()?;
                *this.step = Step::Running;
            }
        }
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        let result = ready!(future.poll(cx));
        *this.step = Step::Over;
        throttle.settle(this.judge.judge(result.as_ref()));
        Poll::Ready(result.map_err(Error::Failed))
    }
}
