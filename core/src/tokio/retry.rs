//! Repeating calls that failed.

use std::borrow::Borrow;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::tokio::time::sleep;

use super::budget::{Budget, Spent};
use super::clock;
use super::setup::Setup;
use crate::classify::{ByError, Judge, Judged};
use crate::options::Problem;
use crate::retry::{self, Decision, Failure, RetryConfig};
use crate::sync::lock;
use crate::{Instant, Rng, events};

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
}

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
        let shared = Arc::new(Shared { rule, rng, name: setup.name.into() });
        Ok(Self { shared, budget: None })
    }

    /// Repeats no more than `budget` allows.
    #[must_use]
    pub fn within(self, budget: Budget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    pub(crate) const fn budget(&self) -> Option<&Budget> {
        self.budget.as_ref()
    }

    /// Runs the future that `call` makes, and again while it fails in a way that may pass: what
    /// [`classify_error`](crate::classify::classify_error) knows of the error decides.
    ///
    /// # Errors
    /// That of the last try.
    pub async fn call<T, E, F>(&self, call: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: std::error::Error + 'static,
    {
        self.call_judged(ByError, call).await
    }

    /// The same, where `judge` says what an end of a try means. An `Ok` that it calls a failure is
    /// repeated too, and answered if nothing better comes.
    ///
    /// # Errors
    /// That of the last try.
    pub async fn call_judged<T, E, F>(
        &self,
        judge: impl Judge<T, E>,
        call: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_until(None, judge, call).await
    }

    pub(super) async fn call_until<T, E, F>(
        &self,
        deadline: Option<Instant>,
        judge: impl Judge<T, E>,
        mut call: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut tries = Tries::new(self, deadline);
        loop {
            let result = call().await;
            match tries.again(judge.judge(result.as_ref()), None) {
                Some(wait) => sleep(wait).await,
                None => return result,
            }
        }
    }
}

/// The tries of one call.
#[derive(Debug)]
pub(crate) struct Tries<B> {
    retry: B,
    /// How many there have been.
    made: u32,
    /// Where that matters: reading the clock costs more than all the rest of a call that succeeds.
    began: Option<Instant>,
    previous: Duration,
    deadline: Option<Instant>,
    _call: Option<Spent>,
    repetition: Option<Spent>,
}

impl<B: Borrow<Retry>> Tries<B> {
    /// None yet.
    pub(crate) fn new(retry: B, deadline: Option<Instant>) -> Self {
        let rule = retry.borrow();
        let call = rule.budget.as_ref().map(Budget::began);
        let began = rule.shared.rule.is_timed().then(clock::now);
        Self {
            retry,
            made: 0,
            began,
            previous: Duration::ZERO,
            deadline,
            _call: call,
            repetition: None,
        }
    }

    /// After which wait there is another try, given how the last one ended; `None`: none.
    /// `wanted` is the caller's word on a failure.
    pub(crate) fn again(&mut self, judged: Judged, wanted: Option<bool>) -> Option<Duration> {
        self.made = self.made.saturating_add(1);
        self.repetition = None;
        let (verdict, refused, delay) = match judged {
            Judged::Success | Judged::Neutral => return None,
            Judged::Failure(verdict) => (verdict, false, None),
            Judged::Refused(after) => (None, true, after),
        };
        let now = clock::now();
        let failure = Failure {
            elapsed: self.began.map_or(Duration::ZERO, |began| now.since(began)),
            previous: self.previous,
            wanted,
            refused,
            delay,
            remaining: self.deadline.map(|deadline| deadline.since(now)),
            ..Failure::new(self.made, verdict)
        };
        let Retry { shared, budget } = self.retry.borrow();
        let Decision::After(wait) = shared.rule.decide(&failure, &mut lock(&shared.rng)) else {
            return None;
        };
        if let Some(budget) = budget {
            self.repetition = Some(budget.allow()?);
        }
        self.previous = wait;
        events::retried(&shared.name, self.made, wait);
        Some(wait)
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
