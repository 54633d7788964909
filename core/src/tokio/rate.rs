//! So many futures in a while, and a line of those who wait.

mod line;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::tokio::time::{Sleep, sleep_until};
use pin_project_lite::pin_project;

use self::line::{Left, Line, Looked, Seen};
use super::setup::Setup;
use super::{clock, wakers};
use crate::error::{Error, Rejected, Why};
use crate::limit::rate::{self, Decision, RateConfig, RateExplanation, Refusal};
use crate::options::Problem;
use crate::policy::Stage;
use crate::sync::lock;
use crate::{Instant, events};

/// A [`rate::RateLimiter`] for futures; clones are the same limiter.
///
/// Nobody overtakes the line. A future that is dropped while it waits leaves the line, and all
/// behind move up; a permit once granted is used, whatever becomes of the call. Turns come though
/// nobody polls: a future that is kept meanwhile holds nobody up for longer than its turn takes, and
/// has its permit when it is polled again.
///
/// ```
/// use std::time::Duration;
/// use seawall::limit::rate::RateConfig;
/// use seawall::tokio::RateLimiter;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = RateConfig { burst: 1, ..RateConfig::new(10, Duration::from_secs(1)) };
/// let limiter = RateLimiter::new(config)?;
/// let begun = tokio::time::Instant::now();
/// for _ in 0..3 {
///     limiter.acquire().await?;
/// }
/// assert!(begun.elapsed() >= Duration::from_millis(200));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RateLimiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    name: Box<str>,
}

#[derive(Debug)]
struct State {
    limiter: rate::RateLimiter,
    max_wait: Duration,
    line: Line,
}

impl RateLimiter {
    /// A limiter that has let nothing through.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: RateConfig) -> Result<Self, Problem> {
        Self::with(config, Setup::default())
    }

    /// A limiter with a name.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn with(config: RateConfig, setup: Setup) -> Result<Self, Problem> {
        let limiter = rate::RateLimiter::new(config)?;
        let state = State { limiter, max_wait: Duration::MAX, line: Line::default() };
        Ok(Self(Arc::new(Shared { state: Mutex::new(state), name: setup.name.into() })))
    }

    /// Refuses calls that would have to wait longer than this. Default: as long as there is room in
    /// the line. Zero: a call goes at once or not at all.
    #[must_use]
    pub fn waiting_at_most(self, max_wait: Duration) -> Self {
        lock(&self.0.state).max_wait = max_wait;
        self
    }

    /// One permit to come, in the order of asking.
    pub fn acquire(&self) -> AcquireRate {
        self.acquire_many(1)
    }

    /// So many permits to come, at once.
    pub fn acquire_many(&self, permits: u32) -> AcquireRate {
        AcquireRate { shared: Arc::clone(&self.0), permits, step: Step::New, turn: None }
    }

    /// A permit now (`None`), or one to come.
    #[cfg(feature = "tower")]
    pub(crate) fn ask(&self) -> Result<Option<AcquireRate>, Rejected> {
        let number = self.0.enter(1, Duration::MAX)?;
        Ok(number.map(|number| {
            let step = Step::Waiting(number);
            AcquireRate { shared: Arc::clone(&self.0), permits: 1, step, turn: None }
        }))
    }

    /// One permit at once, or not at all.
    ///
    /// # Errors
    /// Why there is none.
    pub fn try_acquire(&self) -> Result<(), Rejected> {
        self.0.enter(1, Duration::ZERO).map(|_| ())
    }

    /// Runs `future` when there is a permit.
    ///
    /// # Errors
    /// [`Error::Rejected`] without polling `future`, or [`Error::Failed`] with its error.
    pub async fn call<T, E>(
        &self,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error<E>> {
        self.acquire().await?;
        future.await.map_err(Error::Failed)
    }

    /// Lets nothing pass for so long, as after a `Retry-After`; see [`rate::RateLimiter::hold`].
    pub fn hold(&self, time: Duration) {
        lock(&self.0.state).limiter.hold(clock::now().after(time));
    }

    /// Goes on by other options; what waits goes on waiting.
    ///
    /// # Errors
    /// The first option that is out of range; nothing has changed then.
    pub fn update(&self, config: RateConfig) -> Result<(), Problem> {
        let mut state = lock(&self.0.state);
        state.limiter.update(config, clock::now())?;
        let all = state.line.all();
        drop(state);
        wakers::wake(all);
        Ok(())
    }

    /// The state in numbers.
    #[must_use]
    pub fn explain(&self) -> RateExplanation {
        lock(&self.0.state).limiter.explain(clock::now())
    }
}

impl Shared {
    /// The number of a place in line, or none where the permits are there at once.
    fn enter(&self, permits: u32, max_wait: Duration) -> Result<Option<u64>, Rejected> {
        let now = clock::now();
        let mut state = lock(&self.state);
        if !state.line.is_empty() {
            state = self.move_up(state, now);
        }
        let max_wait = max_wait.min(state.max_wait);
        match state.limiter.acquire(permits, max_wait, now) {
            Decision::Granted => Ok(None),
            Decision::Wait(_) => Ok(Some(state.line.push(permits))),
            Decision::Refused(refusal) => {
                let retry_after = state.limiter.retry_after(permits, now);
                drop(state);
                Err(self.refuse(refusal, retry_after))
            }
        }
    }

    /// Those whose turn it is do not stand in the way of who comes now.
    #[cold]
    fn move_up<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        now: Instant,
    ) -> MutexGuard<'a, State> {
        let State { limiter, line, .. } = &mut *state;
        let (moved, _) = line.move_up(limiter, now);
        if moved.is_empty() {
            return state;
        }
        drop(state);
        wakers::wake(moved);
        lock(&self.state)
    }

    fn refuse(&self, refusal: Refusal, retry_after: Option<Duration>) -> Rejected {
        let rejected = Rejected { by: Stage::RateLimit, why: Why::Rate(refusal), retry_after };
        events::rejected(&self.name, &rejected);
        rejected
    }

    /// What has become of who is polled.
    fn look(&self, number: u64, waker: &Waker) -> Seen {
        let now = clock::now();
        let mut state = lock(&self.state);
        let State { limiter, line, .. } = &mut *state;
        let Looked { seen, moved, old } = line.look(number, waker, limiter, now);
        drop(state);
        drop(old);
        wakers::wake(moved);
        seen
    }

    fn leave(&self, number: u64) {
        let mut state = lock(&self.state);
        let State { limiter, line, .. } = &mut *state;
        let left = line.leave(number, limiter);
        drop(state);
        let Some(Left { gone, next }) = left else { return };
        drop(gone);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    New,
    Waiting(u64),
    Over,
}

pin_project! {
    /// Permits to come. Dropped before they have come, its place in line is given up; dropped when its
    /// turn has come, they are used, though it was not polled since.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AcquireRate {
        shared: Arc<Shared>,
        permits: u32,
        step: Step,
        // Until the turn that is expected, as those before may not be polled.
        #[pin]
        turn: Option<Sleep>,
    }

    impl PinnedDrop for AcquireRate {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Step::Waiting(number) = *this.step {
                this.shared.leave(number);
            }
        }
    }
}

impl Future for AcquireRate {
    type Output = Result<(), Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let number = match *this.step {
            Step::Waiting(number) => number,
            Step::Over => return Poll::Pending,
            Step::New => {
                *this.step = Step::Over;
                match this.shared.enter(*this.permits, Duration::MAX)? {
                    None => return Poll::Ready(Ok(())),
                    Some(number) => number,
                }
            }
        };
        *this.step = Step::Waiting(number);
        // A second look if the time is up at the first.
        for _ in 0..2 {
            let due = match this.shared.look(number, cx.waker()) {
                Seen::Waits(due) => clock::at(due),
                Seen::Ended(ended) => {
                    *this.step = Step::Over;
                    return Poll::Ready(ended.map_err(|refusal| this.shared.refuse(refusal, None)));
                }
            };
            match this.turn.as_mut().as_pin_mut() {
                None => this.turn.set(Some(sleep_until(due))),
                Some(turn) => turn.reset(due),
            }
            let Some(turn) = this.turn.as_mut().as_pin_mut() else { return Poll::Pending };
            if turn.poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
