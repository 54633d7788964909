//! How well something answers, and whether a service may be sent work or has to be restarted.
//!
//! **Why.** "It answers" is too little to know of a dependency. One that needs half a second for a
//! ping is about to fail the calls behind it, and an average hides the slow tail that users meet:
//! hence [`Grade`] and [`Summary`].
//!
//! ```
//! use core::time::Duration;
//! use seawall::health::{CheckConfig, Grade, Summary};
//!
//! let check = CheckConfig::default();
//! assert_eq!(check.grade(Duration::from_millis(99)), Grade::Healthy);
//! assert_eq!(check.grade(Duration::from_millis(100)), Grade::Degraded);
//! assert_eq!(check.grade(Duration::from_millis(500)), Grade::Unhealthy);
//!
//! let summary = Summary::of(&[4.0, 1.0, 250.0], 100.0).ok_or("no queries")?;
//! assert_eq!((summary.min, summary.p95, summary.slow), (1.0, 250.0, 1));
//! assert!(summary.advice(100.0).many_slow, "one of three is more than a tenth");
//! # Ok::<(), &str>(())
//! ```
//!
//! And a health check must not do harm of its own. One that hangs and is asked again each second
//! takes all connections of the pool it watches; one that failed once and is then not asked any
//! more locks a service out for ever; one that counts as good although nobody has heard of it for
//! minutes sends users to a dead instance. [`HealthSet`] runs each check once at a time, forgets
//! what is too old, and keeps three questions apart: has it started ([`Kind::Startup`]), should it
//! be restarted ([`Kind::Liveness`]), should it be sent work ([`Kind::Readiness`]).
//!
//! ```
//! use core::time::Duration;
//! use seawall::Instant;
//! use seawall::health::{HealthSet, Kind, Reason, WatchConfig};
//!
//! let at = |s| Instant::ZERO.after(Duration::from_secs(s));
//! let mut set = HealthSet::new(at(0));
//! let database = set.add(WatchConfig::new(Kind::Readiness), at(0))?;
//! assert_eq!(set.verdict(Kind::Readiness, at(0)).reason, Reason::Pending);
//!
//! let run = set.begin(database, at(0)).ok_or("it is under way")?;
//! assert_eq!(set.begin(database, at(1)), None, "one at a time");
//! set.settle(run, true, at(2));
//! assert!(set.verdict(Kind::Readiness, at(2)).passing);
//! assert_eq!(set.verdict(Kind::Readiness, at(60)).reason, Reason::Stale);
//!
//! set.set_draining(true, at(60));
//! assert_eq!(set.verdict(Kind::Readiness, at(60)).reason, Reason::Draining);
//! assert!(set.verdict(Kind::Liveness, at(60)).passing);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod grade;
mod judge;
mod set;
#[cfg(feature = "std")]
mod shared;
mod summary;
mod verdict;
mod watch;

pub use grade::{CheckConfig, CheckOptions, Grade};
pub use judge::{JudgeConfig, JudgeOptions, Load};
pub use set::{HealthSet, Run};
#[cfg(feature = "std")]
pub use shared::{BLOCK_WORDS, Block, SharedHealth};
pub use summary::{Advice, Summary, is_busy, nearest_rank};
pub use verdict::{Kind, Reason, Verdict};
pub use watch::{Expiry, Watch, WatchConfig, WatchOptions};
