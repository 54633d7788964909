//! What options refuse that core only checks and a door keeps: each by its field, rule and limit, as
//! the JavaScript doors word it (`js-tests/ranges.engine.test.mjs`).

use std::time::Duration;

use seawall::cache::{Room, RoomOptions};
use seawall::coalesce::{CoalesceOptions, Sharing};
use seawall::http::{Idempotency, IdempotencyOptions};
use seawall::limit::bulkhead::{Bulkhead, BulkheadConfig};
use seawall::options::{Problem, Rule};
use seawall::policy::PlanNumbers;
use seawall::rotation::Rotation;

fn refused<T: std::fmt::Debug>(
    result: Result<T, Problem>,
    field: &'static str,
    rule: Rule,
    limit: f64,
) {
    assert_eq!(result.unwrap_err(), Problem::limit(field, rule, limit));
}

#[test]
fn limits_of_coalescing() {
    let build = |max_keys, join_within_ms| CoalesceOptions { max_keys, join_within_ms }.build();
    for keys in [0.0, -1.0, 1.5, f64::NAN] {
        refused(build(Some(keys), None), "maxKeys", Rule::IntegerAtLeast, 1.0);
    }
    refused(build(None, Some(-1.0)), "joinWithinMs", Rule::AtLeast, 0.0);
    assert_eq!(build(None, None), Ok(Sharing::default()));
    let none = build(Some(f64::INFINITY), Some(f64::INFINITY)).unwrap();
    assert!(none.has_room(usize::MAX - 1) && none.may_join(Duration::from_secs(1 << 32)));
    assert_eq!(none.to_numbers()[0], f64::INFINITY);
    let small = build(Some(2.0), Some(0.0)).unwrap();
    assert!(small.has_room(1) && !small.has_room(2));
    assert!(small.may_join(Duration::ZERO) && !small.may_join(Duration::from_nanos(1)));
    assert_eq!(small.to_numbers(), [2.0, 0.0]);
}

#[test]
fn room_of_a_cache() {
    let defaults = RoomOptions::default();
    assert_eq!(defaults.build(), Ok(Room::default()));
    assert_eq!(Room::default().to_numbers(), [16_777_216.0, 500.0]);
    for bytes in [0.0, 0.5, -1.0] {
        let options = RoomOptions { max_bytes: Some(bytes), ..defaults.clone() };
        refused(options.build(), "maxBytes", Rule::IntegerAtLeast, 1.0);
    }
    let large = RoomOptions { max_bytes: Some(1e15), ..defaults.clone() };
    assert_eq!(large.build().unwrap().max_bytes, 1_000_000_000_000_000);
    let options = RoomOptions { store_timeout_ms: Some(0.0), ..defaults.clone() };
    refused(options.build(), "storeTimeoutMs", Rule::Above, 0.0);
    let options = RoomOptions { version: Some(-1.0), ..defaults.clone() };
    refused(options.build(), "version", Rule::IntegerAtLeast, 0.0);
    let from = |from| RoomOptions {
        version: Some(2.0),
        migrate_from: Some(from),
        ..RoomOptions::default()
    };
    refused(from(2.0).build(), "migrate.from", Rule::AtMost, 1.0);
    refused(from(-1.0).build(), "migrate.from", Rule::IntegerAtLeast, 0.0);
    assert!(from(0.0).build().is_ok() && from(1.0).build().is_ok());
}

#[test]
fn time_for_the_store_of_keys() {
    let options = |ms| IdempotencyOptions { store_timeout_ms: ms, ..Default::default() };
    refused(Idempotency::new(&options(Some(0.0))), "storeTimeoutMs", Rule::Above, 0.0);
    let time = |ms| Idempotency::new(&options(ms)).unwrap().store_timeout();
    assert_eq!(time(None), Duration::from_secs(2));
    assert_eq!(time(Some(1.5)), Duration::from_micros(1500));
}

#[test]
fn decisions_remembered() {
    let check = |log| PlanNumbers { log, ..PlanNumbers::default() }.check();
    assert_eq!((check(None), check(Some(0.0)), check(Some(1e7))), (Ok(()), Ok(()), Ok(())));
    refused(check(Some(-1.0)), "log", Rule::IntegerAtLeast, 0.0);
    refused(check(Some(1.5)), "log", Rule::IntegerAtLeast, 0.0);
    refused(check(Some(10_000_001.0)), "log", Rule::AtMost, 1e7);
}

#[test]
fn keys_of_a_registry() {
    for max in [0.0, -1.0, 1.5, f64::NAN] {
        refused(Rotation::from_options(max, 1.0), "max", Rule::IntegerAtLeast, 1.0);
    }
    refused(Rotation::from_options(2f64.powi(32), 1.0), "max", Rule::AtMost, f64::from(u32::MAX));
    refused(Rotation::from_options(1.0, 0.0), "idleMs", Rule::Above, 0.0);
    assert!(Rotation::from_options(f64::from(u32::MAX), f64::INFINITY).is_ok());
}

#[test]
fn the_patience_of_a_queue_counts_where_it_ends_first() {
    let ms = Duration::from_millis;
    let patience = |queue_timeout, left| {
        Bulkhead::new(BulkheadConfig { queue_timeout, ..BulkheadConfig::new(1) })
            .unwrap()
            .patience(left)
    };
    assert_eq!(patience(Some(ms(10)), ms(11)), Some(ms(10)));
    assert_eq!(patience(Some(ms(10)), ms(10)), None);
    assert_eq!(patience(Some(ms(10)), Duration::MAX), Some(ms(10)));
    assert_eq!(patience(None, Duration::MAX), None);
}
