//! How much a process can still bear.

mod signals;

pub use signals::{SIGNALS, Signal, Signals};
