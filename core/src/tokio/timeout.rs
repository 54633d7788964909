//! Time-outs of futures.

use std::borrow::Borrow;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::time::{Sleep, sleep_until};
use pin_project_lite::pin_project;

use super::clock;
use super::setup::Setup;
use crate::classify::{ByResult, Judge, Judged};
use crate::error::{Error, Rejected, TimedOut, Why};
use crate::options::Problem;
use crate::policy::Stage;
use crate::sync::lock;
use crate::timeout::{self, Late, Limits, Own, TimeoutConfig};
use crate::{Instant, events};

/// [`timeout::Timeout`]s of futures; clones are the same policy.
///
/// The future is dropped when its time is up. An answer that is there by then counts, however late
/// the timer. A timer that was itself held up says nothing of the other side
/// ([`TimedOut::held_up`]).
///
/// ```
/// use std::time::Duration;
/// use seawall::error::Error;
/// use seawall::timeout::TimeoutConfig;
/// use seawall::tokio::Timeout;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), seawall::options::Problem> {
/// let timeout = Timeout::new(TimeoutConfig::fixed(Duration::from_millis(100)))?;
/// let late = timeout.call(std::future::pending::<Result<(), std::io::Error>>()).await;
/// assert!(matches!(late, Err(Error::TimedOut(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Timeout(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Where it never changes and nothing is measured.
    fixed: Option<Duration>,
    name: Box<str>,
}

#[derive(Debug)]
struct State {
    timeout: timeout::Timeout,
    limits: Limits,
    /// After how many latencies, or past which time, the limits are looked at anew.
    left: u32,
    until: Instant,
}

/// A latency this old says little of what holds now.
const FRESH: Duration = Duration::from_secs(1);

impl State {
    fn limits(&mut self, now: Instant) -> Limits {
        if self.left == 0 || now >= self.until {
            self.limits = self.timeout.limits(now);
            self.left = self.limits.ask_after;
            self.until = now.after(FRESH);
        }
        self.limits
    }
}

impl Timeout {
    /// The time-outs of `config`.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: TimeoutConfig) -> Result<Self, Problem> {
        Self::with(config, Setup::default())
    }

    /// The time-outs of `config`, with a name.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn with(config: TimeoutConfig, setup: Setup) -> Result<Self, Problem> {
        let mut timeout = timeout::Timeout::new(config)?;
        let limits = timeout.limits(Instant::ZERO);
        let fixed = match config.own {
            Own::Fixed(own) => Some(own),
            _ => None,
        };
        let state = Mutex::new(State { timeout, limits, left: 0, until: Instant::ZERO });
        Ok(Self(Arc::new(Shared { state, fixed, name: setup.name.into() })))
    }

    /// Gives `future` the time of the policy.
    ///
    /// Answers [`Error::TimedOut`], or [`Error::Failed`] with the error of `future`.
    pub fn call<F>(&self, future: F) -> TimeoutCall<&Self, F, ByResult> {
        TimeoutCall::new(self, future, ByResult, None, None)
    }

    /// The same with a time of its own (`None`: the policy's), until a deadline at the latest: a
    /// call for which too little is left until then is rejected at once.
    pub fn call_within<F>(
        &self,
        own: Option<Duration>,
        deadline: Option<Instant>,
        future: F,
    ) -> TimeoutCall<&Self, F, ByResult> {
        TimeoutCall::new(self, future, ByResult, own, deadline)
    }

    pub(super) fn fixed(&self) -> Option<Duration> {
        self.0.fixed.filter(|fixed| *fixed != Duration::MAX)
    }

    /// How long a call that begins now may take, or why it is not begun.
    fn limit(
        &self,
        own: Option<Duration>,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<Duration, Rejected> {
        let limits = match (self.0.fixed, deadline) {
            (Some(fixed), None) => return Ok(own.unwrap_or(fixed)),
            _ => lock(&self.0.state).limits(now),
        };
        let own = own.unwrap_or(limits.own);
        let Some(deadline) = deadline else { return Ok(own) };
        let left = deadline.since(now);
        if left.is_zero() || left < limits.least {
            let rejected = Rejected { by: Stage::Timeout, why: Why::Deadline, retry_after: None };
            events::rejected(&self.0.name, &rejected);
            return Err(rejected);
        }
        Ok(own.min(left))
    }

    fn record(&self, latency: Duration, now: Instant) {
        let mut state = lock(&self.0.state);
        state.timeout.record(latency, now);
        state.left = state.left.saturating_sub(1);
    }

    fn late(&self, late: Duration) -> Late {
        lock(&self.0.state).timeout.late(late)
    }

    /// What holds for calls that begin now.
    #[must_use]
    pub fn explain(&self) -> Limits {
        lock(&self.0.state).timeout.limits(clock::now())
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    New,
    Running { began: Instant, limit: Duration },
    Over,
}

pin_project! {
    /// A call with a time-out, which holds its [`Timeout`] by reference or as a clone.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct TimeoutCall<B, F, J> {
        timeout: B,
        judge: J,
        own: Option<Duration>,
        deadline: Option<Instant>,
        step: Step,
        // Not before the future has to be waited for.
        #[pin]
        sleep: Option<Sleep>,
        #[pin]
        future: F,
    }
}

impl<B, F, J> TimeoutCall<B, F, J> {
    pub(crate) const fn new(
        timeout: B,
        future: F,
        judge: J,
        own: Option<Duration>,
        deadline: Option<Instant>,
    ) -> Self {
        Self { timeout, judge, own, deadline, step: Step::New, sleep: None, future }
    }
}

impl<B, F, J, T, E> Future for TimeoutCall<B, F, J>
where
    B: Borrow<Timeout>,
    F: Future<Output = Result<T, E>>,
    J: Judge<T, E>,
{
    type Output = Result<T, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let timeout: &Timeout = (*this.timeout).borrow();
        let (began, limit) = match *this.step {
            Step::Running { began, limit } => (began, limit),
            Step::Over => return Poll::Pending,
            Step::New => {
                let began = clock::now();
                *this.step = Step::Over;
                let limit = timeout.limit(*this.own, *this.deadline, began)?;
                *this.step = Step::Running { began, limit };
                (began, limit)
            }
        };
        // The future first: what has come while a timer was late is an answer.
        if let Poll::Ready(result) = this.future.poll(cx) {
            *this.step = Step::Over;
            if (timeout.0.fixed.is_none() || this.deadline.is_some())
                && this.judge.judge(result.as_ref()) == Judged::Success
            {
                let now = clock::now();
                timeout.record(now.since(began), now);
            }
            return Poll::Ready(result.map_err(Error::Failed));
        }
        if limit == Duration::MAX {
            return Poll::Pending;
        }
        let due = began.after(limit);
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(clock::at(due))));
        }
        let Some(sleep) = this.sleep.as_mut().as_pin_mut() else { return Poll::Pending };
        if sleep.poll(cx).is_pending() {
            return Poll::Pending;
        }
        *this.step = Step::Over;
        let now = clock::now();
        let held_up = timeout.late(now.since(due)) == Late::Blocked;
        if !held_up {
            timeout.record(limit, now);
        }
        let by = match *this.deadline {
            Some(deadline) if due >= deadline => Stage::Deadline,
            _ => Stage::Timeout,
        };
        let late = TimedOut { limit, by, held_up };
        events::timed_out(&timeout.0.name, &late);
        Poll::Ready(Err(Error::TimedOut(late)))
    }
}
