//! One policy made of many.

mod builder;
mod gate;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::tokio::time::timeout_at;

pub use self::builder::PolicyBuilder;
use self::gate::{Gate, Held};
use super::answers::Answers;
use super::budget::Budget;
use super::clock;
use super::hedge::Hedge;
use super::retry::Retry;
use super::timeout::Timeout;
use super::tries::Tries;
use crate::classify::{ByError, Inside, Judge, Judged};
use crate::error::{Error, TimedOut};
use crate::policy::Stage;
use crate::timeout::is_held_up;
use crate::{Instant, events};

/// Policies around each other, as one.
///
/// They stand in the order of [`Stage::ORDER`] unless [`PolicyBuilder::order`] says otherwise:
/// a deadline around retries, a retry around hedges, then rate limit, throttle and breaker for each
/// try, its time-out, and innermost what limits how many run at a time. A call that is dropped gives
/// back all it holds.
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use std::time::Duration;
/// use seawall::breaker::BreakerConfig;
/// use seawall::retry::RetryConfig;
/// use seawall::timeout::TimeoutConfig;
/// use seawall::tokio::{Breaker, Policy, Retry, Timeout};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = Policy::builder()
///     .deadline(Duration::from_secs(10))
///     .retry(Retry::new(RetryConfig::default())?)
///     .breaker(Breaker::new(BreakerConfig::default())?)
///     .timeout(Timeout::new(TimeoutConfig::fixed(Duration::from_secs(1)))?)
///     .build()?;
///
/// let mut tries = 0;
/// let answer = policy
///     .call(|| {
///         tries += 1;
///         std::future::ready(if tries == 1 { Err(Error::from(ErrorKind::TimedOut)) } else { Ok(7) })
///     })
///     .await?;
/// assert_eq!((answer, tries), (7, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Policy(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    name: Box<str>,
    deadline: Option<Duration>,
    retry: Option<Retry>,
    hedge: Option<Hedge>,
    timeout: Option<Timeout>,
    /// The gates of each part of the way: around the deadline, the retries, the hedges, one try, and
    /// within its time-out.
    gates: [Vec<Gate>; 5],
}

/// Settles what is held when a call is dropped.
struct Leaving<'a> {
    held: Held,
    /// Whether the time of the try was up, or that of the whole call.
    late: [&'a AtomicBool; 2],
    /// It waits for leave of one's own: that there was none in time is not the other side's fault.
    queued: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if !self.queued && self.late.iter().any(|late| late.load(Ordering::Relaxed)) {
            core::mem::take(&mut self.held).settle(Judged::PASSING);
        }
    }
}

impl Policy {
    /// A policy without parts, which lets every call through.
    #[must_use]
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// The same policy for calls that have a key and answers that may be shared: kept for a while,
    /// fetched once for many, or replaced where there is none.
    #[must_use]
    pub fn answers<K, T, E>(&self) -> Answers<K, T, E> {
        Answers::of(self.clone())
    }

    /// Runs the future that `call` makes through all parts; what
    /// [`classify_error`](crate::classify::classify_error) knows of its error decides.
    ///
    /// # Errors
    /// Which part refused it or ended it, or [`Error::Failed`] with the error of the last try.
    pub async fn call<T, E, F>(&self, call: impl FnMut() -> F) -> Result<T, Error<E>>
    where
        F: Future<Output = Result<T, E>>,
        E: std::error::Error + 'static,
    {
        self.call_judged(ByError, call).await
    }

    /// The same, where `judge` says what an end of the call means.
    ///
    /// # Errors
    /// Which part refused it or ended it, or [`Error::Failed`] with the error of the last try.
    pub async fn call_judged<T, E, F, J>(
        &self,
        judge: J,
        mut call: impl FnMut() -> F,
    ) -> Result<T, Error<E>>
    where
        F: Future<Output = Result<T, E>>,
        J: Judge<T, E>,
    {
        let run = Run { parts: &self.0, judge: Inside(judge), late: AtomicBool::new(false) };
        run.whole(&mut call).await
    }
}

/// One call on its way through the parts.
///
/// What is inside goes by reference to what is around it: moved from one future into the next it
/// would be in each of them twice.
struct Run<'a, J> {
    parts: &'a Parts,
    judge: J,
    /// The deadline has ended it.
    late: AtomicBool,
}

impl<J> Run<'_, J> {
    async fn whole<T, E, F>(&self, call: &mut impl FnMut() -> F) -> Result<T, Error<E>>
    where
        F: Future<Output = Result<T, E>>,
        J: Judge<T, Error<E>>,
    {
        let inner = pin!(self.timed(call));
        self.gated(0, inner).await
    }

    async fn timed<T, E, F>(&self, call: &mut impl FnMut() -> F) -> Result<T, Error<E>>
    where
        F: Future<Output = Result<T, E>>,
        J: Judge<T, Error<E>>,
    {
        let limit = self.parts.deadline;
        let deadline = limit.map(|limit| clock::now().after(limit));
        let inner = pin!(self.repeated(deadline, call));
        let call = pin!(self.gated(1, inner));
        let Some((limit, deadline)) = limit.zip(deadline) else { return call.await };
        if let Ok(result) = timeout_at(clock::at(deadline), call).await {
            return result;
        }
        let held_up = is_held_up(clock::now().since(deadline));
        let late = TimedOut { limit, by: Stage::Deadline, held_up };
        events::timed_out(&self.parts.name, &late);
        // What is dropped now was not cancelled by its caller.
        self.late.store(!held_up, Ordering::Relaxed);
        Err(late.into())
    }

    async fn repeated<T, E, F>(
        &self,
        deadline: Option<Instant>,
        call: &mut impl FnMut() -> F,
    ) -> Result<T, Error<E>>
    where
        F: Future<Output = Result<T, E>>,
        J: Judge<T, Error<E>>,
    {
        let mut tries = self.parts.retry.as_ref().map(|retry| Tries::new(retry, deadline));
        if let Some(tries) = &mut tries {
            tries.begin();
        }
        loop {
            let result = {
                let inner = pin!(self.hedged(deadline, call));
                self.gated(2, inner).await
            };
            let Some(tries) = &mut tries else { return result };
            let Some(wait) = tries.again(self.judge.judge(result.as_ref()), None) else {
                return result;
            };
            // It may hold a connection, and the wait may be long.
            drop(result);
            ::tokio::time::sleep(wait).await;
        }
    }

    async fn hedged<T, E, F>(
        &self,
        deadline: Option<Instant>,
        call: &mut impl FnMut() -> F,
    ) -> Result<T, Error<E>>
    where
        F: Future<Output = Result<T, E>>,
        J: Judge<T, Error<E>>,
    {
        let Some(hedge) = &self.parts.hedge else {
            let future = pin!(call());
            return self.one(deadline, future).await;
        };
        let counted = self.parts.retry.as_ref().and_then(Retry::budget);
        // Within a retry that has the same budget the call is counted there.
        let own = hedge.budget().filter(|own| !counted.is_some_and(|it| it.is_same(own)));
        let _call = own.map(Budget::began);
        hedge.call_until(deadline, &self.judge, || self.one(deadline, Box::pin(call()))).await
    }

    /// One try; `future` is a reference or a box.
    async fn one<T, E, F>(&self, deadline: Option<Instant>, future: F) -> Result<T, Error<E>>
    where
        F: Future<Output = Result<T, E>> + Unpin,
        J: Judge<T, Error<E>>,
    {
        let inner = pin!(self.ended(deadline, future));
        self.gated(3, inner).await
    }

    async fn ended<T, E, F>(&self, deadline: Option<Instant>, future: F) -> Result<T, Error<E>>
    where
        F: Future<Output = Result<T, E>>,
        J: Judge<T, Error<E>>,
    {
        let late = AtomicBool::new(false);
        let inner = pin!(async { future.await.map_err(Error::Failed) });
        let inner = self.gated_until(4, Some(&late), inner);
        let Some(timeout) = &self.parts.timeout else { return inner.await };
        let mut call = pin!(timeout.call_within(None, deadline, inner));
        let result = call.as_mut().await.map_err(Error::flatten);
        // What is dropped now was not cancelled by its caller: a limiter is to learn of it.
        let is_late = matches!(&result, Err(Error::TimedOut(late)) if !late.held_up);
        late.store(is_late, Ordering::Relaxed);
        result
    }

    /// Runs `inner` behind the gates of a part of the way.
    async fn gated<T, E>(
        &self,
        part: usize,
        inner: Pin<&mut impl Future<Output = Result<T, Error<E>>>>,
    ) -> Result<T, Error<E>>
    where
        J: Judge<T, Error<E>>,
    {
        if self.gates(part).is_empty() {
            return inner.await;
        }
        self.gated_until(part, None, inner).await
    }

    /// The same; dropped meanwhile, it has failed if it is `late`, or the whole call is, and says
    /// nothing else.
    async fn gated_until<T, E>(
        &self,
        part: usize,
        late: Option<&AtomicBool>,
        inner: Pin<&mut impl Future<Output = Result<T, Error<E>>>>,
    ) -> Result<T, Error<E>>
    where
        J: Judge<T, Error<E>>,
    {
        let gates = self.gates(part);
        let late = [late.unwrap_or(&self.late), &self.late];
        let mut held = Leaving { held: Held::default(), late, queued: false };
        let mut passed = Ok(());
        for gate in gates {
            held.queued = gate.has_a_queue();
            passed = gate.pass(&mut held.held).await;
            if passed.is_err() {
                break;
            }
        }
        held.queued = false;
        let result = match passed {
            Ok(()) => inner.await,
            Err(refused) => Err(refused),
        };
        if !gates.is_empty() {
            core::mem::take(&mut held.held).settle(self.judge.judge(result.as_ref()));
        }
        result
    }

    fn gates(&self, part: usize) -> &[Gate] {
        self.parts.gates.get(part).map_or(&[], Vec::as_slice)
    }
}
