//! Circuit breakers: fail fast while the other side is down, and find out when it is back.
//!
//! # What a breaker does
//!
//! A **closed** breaker lets all calls through and watches how they end. When its
//! [`TripRule`] has seen enough it **opens** and refuses all calls for a while
//! ([`OpenFor`]). Then it is **half-open**: a few probes go through ([`HalfOpen`]), and
//! their results close it or open it again. With [`Reclose`] it first **recovers**,
//! letting a growing share of the calls through, each step with its own verdict.
//!
//! Four rules keep it from ever being stuck or misled:
//!
//! - a call is let through with a permit of the present generation; its outcome decides
//!   nothing once the breaker has changed state;
//! - an [`Outcome`](crate::Outcome) is a success, a failure or neutral, and neutral ones
//!   only give their place back;
//! - a probe holds a lease: when it hangs, its place is free again;
//! - time never runs backwards inside, whatever the caller's clock does.
//!
//! # Three ways to use it
//!
//! - [`Machine`]: the bare state machine, for one owner. Works without `std`.
//! - [`CircuitBreaker`]: shared between threads, with guards that settle themselves.
//! - cells ([`cell`]): for callers across a boundary, who must not cross it when nothing happens.
//!
//! ```
//! use std::time::Duration;
//! use seawall::Instant;
//! use seawall::breaker::{BreakerConfig, CallError, CircuitBreaker, OpenFor, TripRule};
//!
//! let breaker = CircuitBreaker::new(
//!     BreakerConfig {
//!         trip: TripRule::Consecutive(3),
//!         open_for: OpenFor::Fixed(Duration::from_secs(10)),
//!         ..BreakerConfig::default()
//!     },
//!     0,
//! )?;
//! let start = std::time::Instant::now();
//! let clock = || Instant::from(start.elapsed());
//!
//! for _ in 0..3 {
//!     let _ = breaker.call(&clock, || Err::<(), _>("connection refused"));
//! }
//! let refused = breaker.call(&clock, || Ok::<_, &str>("never runs"));
//! assert!(matches!(refused, Err(CallError::Rejected(_))));
//! # Ok::<(), seawall::options::Problem>(())
//! ```

#[cfg(feature = "std")]
mod arena;
mod causes;
#[cfg(feature = "std")]
pub mod cell;
#[cfg(feature = "std")]
mod circuit;
mod config;
mod explain;
#[cfg(feature = "std")]
mod guard;
mod machine;
#[cfg(feature = "std")]
mod members;
#[cfg(feature = "std")]
mod named;
mod options;
mod permit;
#[cfg(feature = "std")]
mod registry;
mod snapshot;
mod timeline;
mod trial;
mod trip;
mod update;
pub(crate) mod window;

#[cfg(feature = "std")]
pub use arena::{Arena, BLOCK_CELLS, Place};
#[cfg(feature = "std")]
pub use circuit::CircuitBreaker;
pub use config::{
    BreakerConfig, HalfOpen, Mode, OpenFor, RateRule, Reclose, SlowRule, TripRule, Window,
};
pub use explain::Explanation;
#[cfg(feature = "std")]
pub use guard::{CallError, Clock, Handle, Permit};
#[cfg(feature = "tokio")]
pub(crate) use guard::{Passed, Paused};
pub use machine::{Machine, Opened, State, Totals};
#[cfg(feature = "std")]
pub use named::Named;
pub use options::BreakerOptions;
pub use permit::{RawPermit, Reason, Rejection, Settled};
#[cfg(feature = "std")]
pub use registry::Registry;
pub use snapshot::{SNAPSHOT_VERSION, Snapshot};
pub use trip::Cause;
pub use window::Counts;
