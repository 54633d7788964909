//! How much a process can still bear, and whom it turns away when that is not enough.
//!
//! **Why.** An overloaded process that takes everything in serves nobody in time. It has to refuse
//! some requests cheaply and early, the least important first, and it has to know before its
//! clients do.
//!
//! **How.** A sampler, native thread or timer, tells what it measured ([`Signals`]). Each signal
//! that has [`Limits`] becomes a share, `(x - soft) / (hard - soft)` from 0 to 1: the scaled
//! trigger of Envoy's overload manager. The greatest of them is the *pressure*; a signal nobody
//! knows has none. By the pressure the process is on a [`Level`]. Up it goes at once; it leaves a
//! level only after two observations in a row below nine tenths of what leads to it.
//!
//! Under pressure each request is judged by its priority ([`crate::limit::priority`]): the share
//! that is refused is the pressure, and it is taken from the lowest levels of the last thousand
//! requests. What is critical (`High` and `VeryHigh`) is never refused, not even when everything
//! else is. A refusal says when to come back: as many seconds as the pressure is expected to last,
//! times a number drawn from 1 to 2, so that those who were refused together do not return
//! together.
//!
//! **What it costs.** [`Monitor`] writes what it decides into a [`Board`] of 64 words, which
//! callers read without a lock or a call: while the word [`board::THRESHOLD`] is 0 everybody is let
//! in.
//!
//! **When not.** Pressure is about this process. A slow dependency is the business of a breaker or
//! an adaptive limit, a client that asks for too much that of a rate limit.
//!
//! ```
//! use std::time::Duration;
//! use seawall::Instant;
//! use seawall::limit::priority::{Ask, Priority};
//! use seawall::pressure::{Judge, Level, PressureConfig, Signal, Signals};
//!
//! let mut judge = Judge::new(PressureConfig::default(), 1)?;
//! let at = |ms| Instant::ZERO.after(Duration::from_millis(ms));
//! let mut signals = Signals::default();
//! signals.set(Signal::Block, 300.0);
//! judge.observe(at(0), &signals);
//! assert_eq!(judge.level(), Level::Full);
//! assert!(judge.admit(&Ask::class(Priority::Medium)).is_shed());
//! assert!(!judge.admit(&Ask::class(Priority::High)).is_shed());
//!
//! signals.set(Signal::Block, 0.0);
//! judge.observe(at(20), &signals);
//! judge.observe(at(40), &signals);
//! assert_eq!(judge.level(), Level::Normal);
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod answer;
#[cfg(feature = "std")]
pub mod board;
mod config;
#[cfg(target_has_atomic = "64")]
mod delays;
mod explain;
mod judge;
mod level;
#[cfg(feature = "std")]
mod monitor;
mod options;
pub mod recorder;
mod signals;
mod spell;
#[cfg(feature = "std")]
mod sure;
mod work;

pub use answer::{Answer, Cause, Shed};
#[cfg(feature = "std")]
pub use board::Board;
pub use config::{Limits, PressureConfig};
#[cfg(target_has_atomic = "64")]
pub use delays::{Delayed, Delays, Utilization};
pub use explain::{Explanation, Gauge};
pub use judge::{CAUSES, CLASSES, CRITICAL, Judge, MAINTENANCE};
pub use level::Level;
#[cfg(feature = "std")]
pub use monitor::Monitor;
pub use options::{LimitOptions, PressureOptions};
pub use signals::{SIGNALS, Signal, Signals};
#[doc(hidden)]
pub use work::at_work_ms;
pub use work::{AT_WORK, WAITED, at_work};
