//! Every order in which threads may get at what they share, within a bound on preemptions.
//!
//! `RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p seawall-tests --release --test loom`
//!
//! Left out are words that each stand for themselves, with one writer and no order between them: the
//! delays of the last second, totals that are only shown, and the numbers drawn for new threads.
#![cfg(loom)]

mod board;
mod breaker;
mod claim;
mod health;

/// All orders with at most three preemptions, or as many as `LOOM_MAX_PREEMPTIONS` says.
fn every_order(test: impl Fn() + Sync + Send + 'static) {
    let mut orders = loom::model::Builder::new();
    orders.preemption_bound = orders.preemption_bound.or(Some(3));
    orders.check(test);
}
