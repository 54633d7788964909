//! The policies as futures, on tokio's clock.
//!
//! **Why.** The decisions of this crate are values; here they wait, wake and let go. Each policy is a
//! handle: clones share it, methods take `&self`, and calls are futures that hold what they were
//! given.
//!
//! - **Dropping a future settles it.** A permit, a place, a probe, a share of a budget goes back, and
//!   the call counts as neutral: it was cancelled, which says nothing of the other side.
//! - **Time is [`tokio::time::Instant`].** With `tokio::time::pause` a test
//!   moves it. Only the `time` feature of tokio is used, and no task is spawned. On Linux a breaker
//!   with a window of time counts successes by the system's last tick, up to 10 ms ago and much
//!   cheaper to read, if its slices are at least 100 ms long and tokio was built without `test-util`;
//!   failures, states and all other policies go by the exact time.
//! - **Randomness is seeded**, by [`Setup::seed`] if a test wants the same again.
//! - **One error**, [`Error`](crate::error::Error), says which policy refused, why, and when to ask
//!   again.
//!
//! [`Policy`] makes one of many, in the order of [`policy::Stage`](crate::policy::Stage); [`Answers`]
//! adds what may answer in its place: a cache, another call's result, a fallback.
//!
//! **When not.** Services and clients of tower have layers of their own, in `tower`. Without an
//! async runtime the policies themselves do, such as
//! [`CircuitBreaker`](crate::breaker::CircuitBreaker).

mod adaptive;
mod answers;
mod breaker;
mod budget;
mod bulkhead;
mod cache;
mod chaos;
pub(crate) mod clock;
mod coalesce;
mod hedge;
mod places;
mod policy;
mod rate;
mod retry;
mod setup;
mod throttle;
mod timeout;
mod tries;
mod wakers;

pub use adaptive::Adaptive;
pub use answers::Answers;
#[cfg(feature = "tower")]
pub(crate) use breaker::Waiting;
pub use breaker::{Breaker, BreakerCall, BreakerPermit};
pub use budget::Budget;
pub use bulkhead::Bulkhead;
pub use cache::{Cache, CacheExplanation};
pub use chaos::Chaos;
pub use coalesce::Coalesce;
pub use hedge::Hedge;
pub use places::{AcquirePlace, Place};
pub use policy::{Policy, PolicyBuilder};
pub use rate::{AcquireRate, RateLimiter};
pub use retry::{Retry, RetryCall, retry};
pub use setup::Setup;
pub use throttle::{Throttle, ThrottleCall, ThrottlePermit};
pub use timeout::{Timeout, TimeoutCall};
#[cfg(feature = "tower")]
pub(crate) use tries::Tries;

/// The present on the clock that the policies here go by.
#[must_use]
pub fn now() -> crate::Instant {
    clock::now()
}
