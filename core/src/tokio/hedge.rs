//! A second future where the first is late.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::time::{Sleep, sleep};

use super::budget::{Budget, Spent, within_budget};
use super::clock;
use super::setup::Setup;
use crate::classify::{ByResult, Judge, Judged};
use crate::hedge::{self, HedgeConfig};
use crate::options::Problem;
use crate::sync::lock;
use crate::{Instant, events};

/// A [`hedge::Hedge`] for futures; clones are the same policy.
///
/// The first answer counts, and the other tries are dropped. A failure waits for those still under
/// way; if none is, it is the answer.
///
/// ```
/// use std::time::Duration;
/// use seawall::hedge::HedgeConfig;
/// use seawall::tokio::Hedge;
/// use tokio::time::sleep;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hedge = Hedge::new(HedgeConfig::fixed(Duration::from_millis(50)))?;
/// let mut tries = 0;
/// let call = || {
///     tries += 1;
///     let (number, takes) = (tries, if tries == 1 { 1_000 } else { 10 });
///     async move {
///         sleep(Duration::from_millis(takes)).await;
///         Ok::<_, std::io::Error>(number)
///     }
/// };
/// let begun = tokio::time::Instant::now();
/// assert_eq!(hedge.call(call).await?, 2);
/// assert_eq!(begun.elapsed().as_millis(), 60);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Hedge {
    shared: Arc<Shared>,
    budget: Option<Budget>,
}

#[derive(Debug)]
struct Shared {
    hedge: Mutex<hedge::Hedge>,
    name: Box<str>,
}

within_budget!(Hedge, /// Hedges no more than `budget` allows.
);

impl Hedge {
    /// The hedges of `config`.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: HedgeConfig) -> Result<Self, Problem> {
        Self::with(config, Setup::default())
    }

    /// The hedges of `config`, with a name.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn with(config: HedgeConfig, setup: Setup) -> Result<Self, Problem> {
        let hedge = Mutex::new(hedge::Hedge::new(config)?);
        Ok(Self { shared: Arc::new(Shared { hedge, name: setup.name.into() }), budget: None })
    }

    /// Runs the future that `call` makes, and another one beside it if there is no answer in time.
    ///
    /// # Errors
    /// The first try's that failed, if none succeeds.
    pub async fn call<T, E, F>(&self, call: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_judged(ByResult, call).await
    }

    /// The same, where `judge` says which failures are only refusals of one's own policies: any other
    /// failure is then the answer rather than these.
    ///
    /// # Errors
    /// The first try's that failed, if none succeeds.
    pub async fn call_judged<T, E, F>(
        &self,
        judge: impl Judge<T, E>,
        call: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let _call = self.budget.as_ref().map(Budget::began);
        self.call_until(None, &judge, call).await
    }

    pub(super) async fn call_until<T, E, F>(
        &self,
        deadline: Option<Instant>,
        judge: &impl Judge<T, E>,
        mut call: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let began = clock::now();
        let first = pin!(call());
        let mut race = Race {
            first: Some(first),
            others: Vec::new(),
            failed: None,
            deadline,
            begun: 1,
            turn: None,
        };
        race.plan(self);
        let (result, by_first) = poll_fn(|cx| race.poll(self, judge, &mut call, cx)).await;
        // A first try that was overtaken counts with the time it had: it would have taken longer.
        if result.is_ok() && (by_first || race.first.is_some()) {
            let now = clock::now();
            lock(&self.shared.hedge).record(now.since(began), now);
        }
        result
    }

    fn delay(&self, begun: u32, deadline: Option<Instant>) -> Option<Duration> {
        let now = clock::now();
        let left = deadline.map(|deadline| deadline.since(now));
        lock(&self.shared.hedge).delay(begun, None, left, now).ok()
    }

    /// How many latencies are known, and the delay of a call that begins now (`None`: no hedge).
    #[must_use]
    pub fn explain(&self) -> (u32, Option<Duration>) {
        let now = clock::now();
        let mut hedge = lock(&self.shared.hedge);
        (hedge.count(now), hedge.usual(now))
    }
}

/// The tries under way.
struct Race<'a, T, E, F> {
    first: Option<Pin<&'a mut F>>,
    others: Vec<(Pin<Box<F>>, Option<Spent>)>,
    failed: Option<Result<T, E>>,
    deadline: Option<Instant>,
    begun: u32,
    /// Until the next one begins, and how long that was to be.
    turn: Option<(Pin<Box<Sleep>>, Duration)>,
}

impl<T, E, F: Future<Output = Result<T, E>>> Race<'_, T, E, F> {
    fn plan(&mut self, hedge: &Hedge) {
        let delay = hedge.delay(self.begun, self.deadline);
        self.turn = delay.map(|delay| (Box::pin(sleep(delay)), delay));
    }

    fn poll(
        &mut self,
        hedge: &Hedge,
        judge: &impl Judge<T, E>,
        call: &mut impl FnMut() -> F,
        cx: &mut Context<'_>,
    ) -> Poll<(Result<T, E>, bool)> {
        if let Some(first) = &mut self.first
            && let Poll::Ready(result) = first.as_mut().poll(cx)
        {
            self.first = None;
            match result {
                Ok(value) => return Poll::Ready((Ok(value), true)),
                failed => keep(&mut self.failed, failed, judge),
            }
        }
        loop {
            let mut won = None;
            self.others.retain_mut(|(other, _)| match other.as_mut().poll(cx) {
                Poll::Ready(result) => {
                    if result.is_ok() {
                        won = Some(result);
                    } else {
                        keep(&mut self.failed, result, judge);
                    }
                    false
                }
                Poll::Pending => true,
            });
            if let Some(won) = won {
                return Poll::Ready((won, false));
            }
            if self.first.is_none() && self.others.is_empty() {
                return match self.failed.take() {
                    Some(failed) => Poll::Ready((failed, false)),
                    None => Poll::Pending,
                };
            }
            let Some((turn, delay)) = &mut self.turn else { return Poll::Pending };
            if turn.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let delay = *delay;
            self.turn = None;
            let spent = match &hedge.budget {
                None => None,
                Some(budget) => match budget.allow() {
                    None => return Poll::Pending,
                    spent => spent,
                },
            };
            events::hedged(&hedge.shared.name, delay);
            self.begun = self.begun.saturating_add(1);
            self.others.push((Box::pin(call()), spent));
            self.plan(hedge);
        }
    }
}

/// The first failure says most, unless it is only a refusal of one's own.
fn keep<T, E>(kept: &mut Option<Result<T, E>>, new: Result<T, E>, judge: &impl Judge<T, E>) {
    let says_little = match kept {
        None => true,
        Some(kept) => {
            matches!(judge.judge(kept.as_ref()), Judged::Refused(_))
                && !matches!(judge.judge(new.as_ref()), Judged::Refused(_))
        }
    };
    if says_little {
        *kept = Some(new);
    }
}
