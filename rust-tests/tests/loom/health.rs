//! Answers of health checks, read by the thread of the probes while they change.

use std::sync::Arc;

use loom::thread;
use seawall::Instant;
use seawall::health::{Kind, SharedHealth};

use crate::every_order;

#[test]
fn an_answer_is_of_one_side_of_a_change() {
    every_order(|| {
        let now = Instant::from_millis(1000.0);
        let health = Arc::new(SharedHealth::new(Instant::ZERO));
        let before = health.block().verdict(Kind::Readiness, now);
        let other = Arc::clone(&health);
        let draining = thread::spawn(move || other.change(now, |set| set.set_draining(true, now)));
        let seen = health.block().verdict(Kind::Readiness, now);
        draining.join().unwrap();
        let after = health.block().verdict(Kind::Readiness, now);
        assert_ne!(before, after);
        assert!(seen == before || seen == after, "{seen:?} is neither {before:?} nor {after:?}");
    });
}
