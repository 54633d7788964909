//! Repeating calls that failed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::budget::{Budget, within_budget};
use super::setup::Setup;
use super::tries::Tries;
use crate::Rng;
use crate::classify::{ByError, Judge};
use crate::options::Problem;
use crate::retry::{self, Decision, Failure, RetryConfig};
use crate::sync::lock;

/// A [`retry::Retry`] for futures; clones draw from the same generator.
///
/// Waits are drawn, waited for and given up with the future: dropped at any point it begins no
/// further try, and whatever it took of a budget is back.
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use seawall::retry::RetryConfig;
/// use seawall::tokio::Retry;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let retry = Retry::new(RetryConfig::default())?;
/// let mut tries = 0;
/// let answer = retry
///     .call(|| {
///         tries += 1;
///         std::future::ready(if tries < 3 { Err(Error::from(ErrorKind::TimedOut)) } else { Ok(7) })
///     })
///     .await?;
/// assert_eq!((answer, tries), (7, 3));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Retry {
    shared: Arc<Shared>,
    budget: Option<Budget>,
}

#[derive(Debug)]
struct Shared {
    rule: retry::Retry,
    rng: Mutex<Rng>,
    name: Box<str>,
    /// Whether it matters when a call began.
    timed: bool,
}

within_budget!(Retry, /// Repeats no more than `budget` allows.
);

impl Retry {
    /// The rule of `config`.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: RetryConfig) -> Result<Self, Problem> {
        Self::with(config, Setup::default())
    }

    /// The rule of `config` with a name, or a seed for the jitter.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn with(config: RetryConfig, setup: Setup) -> Result<Self, Problem> {
        let rule = retry::Retry::new(config)?;
        let rng = Mutex::new(setup.rng());
        let timed = rule.is_timed();
        let shared = Arc::new(Shared { rule, rng, name: setup.name.into(), timed });
        Ok(Self { shared, budget: None })
    }

    /// Runs the future that `call` makes, and again while it fails in a way that may pass: what
    /// [`classify_error`](crate::classify::classify_error) knows of the error decides.
    ///
    /// Answers the error of the last try where none succeeds.
    pub fn call<T, E, F, C>(&self, call: C) -> RetryCall<'_, C, F, ByError>
    where
        C: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
        E: std::error::Error + 'static,
    {
        self.call_judged(ByError, call)
    }

    /// The same, where `judge` says what an end of a try means. An `Ok` that it calls a failure is
    /// repeated too, and answered if nothing better comes.
    #[inline]
    pub fn call_judged<T, E, F, C, J>(&self, judge: J, call: C) -> RetryCall<'_, C, F, J>
    where
        C: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
        J: Judge<T, E>,
    {
        let tries = Tries::new(self, None);
        RetryCall { tries, judge, call, step: Step::New, future: None }
    }

    /// Whether it matters when a call began.
    pub(super) fn is_timed(&self) -> bool {
        self.shared.timed
    }

    /// Whether a call is more to it than its failures.
    #[inline]
    pub(super) fn keeps_count(&self) -> bool {
        self.budget.is_some() || self.shared.timed
    }

    /// What the rule says of a failure, which a repetition is told of.
    pub(super) fn decide(&self, failure: &Failure) -> Decision {
        self.shared.rule.decide(failure, &mut lock(&self.shared.rng))
    }

    pub(super) fn name(&self) -> &str {
        &self.shared.name
    }
}

/// Where a call is between two tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    New,
    Trying,
    Waiting,
    Over,
}

pin_project! {
    /// The tries of a call through a [`Retry`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryCall<'a, C, F, J> {
        tries: Tries<&'a Retry>,
        judge: J,
        call: C,
        step: Step,
        #[pin]
        future: Option<F>,
    }
}

impl<C, F, J> fmt::Debug for RetryCall<'_, C, F, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryCall").field("tries", &self.tries).finish_non_exhaustive()
    }
}

impl<C, F, J, T, E> Future for RetryCall<'_, C, F, J>
where
    C: FnMut() -> F,
    F: Future<Output = Result<T, E>>,
    J: Judge<T, E>,
{
    type Output = Result<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match *this.step {
                Step::New => this.tries.begin(),
                Step::Waiting => ready!(this.tries.poll_wait(cx)),
                Step::Trying => {}
                // Polled after its end: there is nothing more to come.
                Step::Over => return Poll::Pending,
            }
            if *this.step != Step::Trying {
                this.future.set(Some((this.call)()));
                *this.step = Step::Trying;
            }
            let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
            let result = ready!(future.poll(cx));
            let judged = this.judge.judge(result.as_ref());
            let Some(wait) = this.tries.again(judged, None) else {
                *this.step = Step::Over;
                return Poll::Ready(result);
            };
            this.future.set(None);
            this.tries.wait(wait);
            *this.step = Step::Waiting;
        }
    }
}

/// Runs the future that `call` makes, and again while it fails in a way that may pass: three tries in
/// all, the waits of [`RetryConfig::default`]. A [`Retry`] has other options, a budget, a judge.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> std::io::Result<()> {
/// async fn answer() -> std::io::Result<u32> {
///     Ok(7)
/// }
/// assert_eq!(seawall::tokio::retry(answer).await?, 7);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// That of the last try.
pub async fn retry<T, E, F>(mut call: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: std::error::Error + 'static,
{
    match Retry::new(RetryConfig::default()) {
        Ok(retry) => retry.call(call).await,
        Err(_) => call().await,
    }
}
