//! How much a process can still bear.

mod delays;
pub mod recorder;
mod signals;

pub use delays::{Delayed, Delays, Utilization};
pub use signals::{SIGNALS, Signal, Signals};
