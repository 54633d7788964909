//! The policies as layers and services of tower.
//!
//! **Why.** A service that is wrapped needs no further thought: the layer asks the policy for each
//! request, tells it how the request ended, and answers with [`Error`](crate::error::Error), which
//! says which policy refused, why, and when to ask again. A request whose future is dropped counts
//! as cancelled and gives back what it held.
//!
//! **Readiness is back-pressure.** What lets calls wait ([`BulkheadLayer`], [`AdaptiveLayer`],
//! [`RateLimitLayer`]) does so in `poll_ready`, so that nobody upstream takes on more work meanwhile.
//! A refusal is no end of the service: `poll_ready` is then ready, and the call answers the refusal.
//! A throttle decides in `call`, before the inner service is called; so does a breaker, unless it is
//! open when it is asked whether it is ready: then the next call is refused, whenever it comes.
//!
//! **Which order.** Retry outside, then rate limit, throttle, breaker, what limits how many run at a
//! time, and innermost the time-out. That is the order of [`policy::Stage`](crate::policy::Stage) but
//! for the last two: a service drops a request whose time is up, and only what is around the time-out
//! learns that it was late and not cancelled. Nothing is lost by that, as waiting for a place is part of
//! `poll_ready` and of no time-out. Refusals of the inner layers do not count as failures in the outer
//! ones, whose judges are [`ByError`](crate::classify::ByError) unless told: full places open no breaker.
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use seawall::breaker::BreakerConfig;
//! use seawall::classify::ByResponse;
//! use seawall::limit::adaptive::AdaptiveConfig;
//! use seawall::retry::{BudgetConfig, RetryConfig};
//! use seawall::timeout::TimeoutConfig;
//! use seawall::tokio::{Adaptive, Breaker, Budget, Retry, Timeout};
//! use seawall::tower::{AdaptiveLayer, BreakerLayer, RetryLayer, TimeoutLayer};
//! use tower::{ServiceBuilder, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let retry = Retry::new(RetryConfig::default())?.within(Budget::new(BudgetConfig::default())?);
//! let breaker = Breaker::new(BreakerConfig::default())?.opening_on_retry_after();
//! let limiter = Adaptive::new(AdaptiveConfig::default())?;
//! let timeout = Timeout::new(TimeoutConfig::fixed(Duration::from_secs(1)))?;
//! let tries = std::cell::Cell::new(0);
//! let service = ServiceBuilder::new()
//!     .layer(RetryLayer::http(retry))
//!     .layer(BreakerLayer::new(breaker).judged_by(ByResponse))
//!     .layer(AdaptiveLayer::new(limiter).judged_by(ByResponse))
//!     .layer(TimeoutLayer::new(timeout))
//!     .service(service_fn(|_: Request<()>| {
//!         tries.set(tries.get() + 1);
//!         let status = if tries.get() == 1 { 503 } else { 200 };
//!         async move { Response::builder().status(status).body(()) }
//!     }));
//! let answer = service.oneshot(Request::get("/").body(())?).await?;
//! assert_eq!((answer.status().as_u16(), tries.get()), (200, 2));
//! # Ok(())
//! # }
//! ```
//!
//! **When not.** Around a function rather than a service, `seawall::tokio` has less to write.

mod breaker;
mod coming;
mod hedge;
mod places;
mod rate;
mod retry;
mod throttle;
mod timeout;

pub use breaker::{BreakerLayer, BreakerService};
pub use hedge::{HedgeFuture, HedgeLayer, HedgeService};
pub use places::{AdaptiveLayer, BulkheadLayer, PlaceFuture, PlaceService};
pub use rate::{RateLimitFuture, RateLimitLayer, RateLimitService};
pub use retry::{ByConfig, ByMethod, Repeats, RetryFuture, RetryLayer, RetryService};
pub use throttle::{ThrottleLayer, ThrottleService};
pub use timeout::{TimeoutLayer, TimeoutService};
