//! Pressure against a naive model that keeps everything it ever saw, and the traps of the plugin it
//! replaces, by name.
#![allow(missing_docs, reason = "tests")]

mod levels;
mod model;
mod monitor;
mod options;
mod refusals;

use std::time::Duration;

use seawall::Instant;
use seawall::limit::priority::{Ask, Priority};
use seawall::pressure::{Judge, PressureConfig, Signal, Signals};

pub fn ms(ms: u64) -> Instant {
    Instant::ZERO.after(Duration::from_millis(ms))
}

pub fn signals<const N: usize>(known: [(Signal, f64); N]) -> Signals {
    let mut signals = Signals::default();
    known.into_iter().for_each(|(signal, value)| signals.set(signal, value));
    signals
}

pub fn judge(config: PressureConfig) -> Judge {
    Judge::new(config, 1).unwrap()
}

pub fn medium() -> Ask<'static> {
    Ask::class(Priority::Medium)
}
