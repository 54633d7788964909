//! Options and snapshots as lists of numbers, for the JavaScript doors.
//!
//! A struct is its fields in the order given here, which TypeScript follows. NaN, and what is
//! missing at the end, is `None`. A list is its length and its entries. A struct inside an
//! `Option` is preceded by a 1.
//!
//! The doors could read objects with `serde-wasm-bindgen` and napi's `serde-json`. The former was
//! measured at 52 KB of an 80 KB budget for this crate's option types, most of it the words and
//! number formatting of error messages nobody sees, because JavaScript has checked the types
//! before and words its own errors. Numbers through a serde format of its own took 12 KB, since
//! what serde derives carries an error out of each field. Here nothing can fail, and it is 1 KB.

use alloc::vec::Vec;

use crate::backoff::BackoffOptions;
use crate::balance::{BalanceOptions, RespawnOptions};
use crate::breaker::{BreakerOptions, Snapshot};
use crate::cache::{CacheOptions, RoomOptions};
use crate::coalesce::CoalesceOptions;
use crate::health::{JudgeOptions, WatchOptions};
use crate::hedge::HedgeOptions;
use crate::http::{IdempotencyOptions, TurnOptions};
use crate::lifecycle::LifecycleOptions;
use crate::limit::adaptive::AdaptiveOptions;
use crate::limit::bulkhead::BulkheadOptions;
use crate::limit::rate::RateOptions;
use crate::limit::throttle::ThrottleOptions;
use crate::policy::PlanNumbers;
use crate::retry::{BudgetOptions, FailureNumbers, RetryOptions};
use crate::timeout::TimeoutOptions;

/// Numbers, read one after the other.
#[derive(Debug)]
pub struct Numbers<'a>(&'a [f64]);

impl<'a> Numbers<'a> {
    /// All of `numbers`.
    #[must_use]
    pub const fn new(numbers: &'a [f64]) -> Self {
        Self(numbers)
    }

    #[inline(never)]
    fn next(&mut self) -> f64 {
        let Some((&first, rest)) = self.0.split_first() else { return f64::NAN };
        self.0 = rest;
        first
    }
}

/// What can be read from numbers.
pub trait FromNumbers {
    /// Reads as many numbers as it takes; one that does not fit counts as the nearest that does.
    ///
    /// Into a place rather than out of a function: a field is one call, and not its value carried
    /// from the one to the other.
    fn read_from(&mut self, numbers: &mut Numbers<'_>);
}

/// Reads a value from its numbers.
#[must_use]
pub fn read<T: FromNumbers + Default>(numbers: &[f64]) -> T {
    let mut value = T::default();
    value.read_from(&mut Numbers::new(numbers));
    value
}

impl FromNumbers for f64 {
    #[inline(never)]
    fn read_from(&mut self, numbers: &mut Numbers<'_>) {
        *self = numbers.next();
    }
}

impl FromNumbers for u32 {
    #[inline(never)]
    fn read_from(&mut self, numbers: &mut Numbers<'_>) {
        *self = numbers.next() as Self;
    }
}

impl FromNumbers for Option<f64> {
    #[inline(never)]
    fn read_from(&mut self, numbers: &mut Numbers<'_>) {
        *self = Some(numbers.next()).filter(|number| !number.is_nan());
    }
}

impl FromNumbers for Option<u32> {
    #[inline(never)]
    fn read_from(&mut self, numbers: &mut Numbers<'_>) {
        let number = numbers.next();
        *self = (!number.is_nan()).then_some(number as u32);
    }
}

impl FromNumbers for Option<bool> {
    #[inline(never)]
    fn read_from(&mut self, numbers: &mut Numbers<'_>) {
        let number = numbers.next();
        *self = (!number.is_nan()).then_some(number != 0.0);
    }
}

impl FromNumbers for Option<Vec<f64>> {
    #[inline(never)]
    fn read_from(&mut self, numbers: &mut Numbers<'_>) {
        let len = numbers.next();
        if len.is_nan() {
            return;
        }
        let (list, rest) = numbers.0.split_at_checked(len as usize).unwrap_or((numbers.0, &[]));
        numbers.0 = rest;
        *self = Some(list.to_vec());
    }
}

impl FromNumbers for Vec<f64> {
    fn read_from(&mut self, numbers: &mut Numbers<'_>) {
        let mut list = None;
        list.read_from(numbers);
        *self = list.unwrap_or_default();
    }
}

impl FromNumbers for Option<BackoffOptions> {
    fn read_from(&mut self, numbers: &mut Numbers<'_>) {
        if !numbers.next().is_nan() {
            self.get_or_insert_default().read_from(numbers);
        }
    }
}

macro_rules! in_order {
    ($type:ident: $($field:ident)*) => {
        impl FromNumbers for $type {
            #[inline(never)]
            fn read_from(&mut self, numbers: &mut Numbers<'_>) {
                let Self { $($field),* } = self;
                $($field.read_from(numbers);)*
            }
        }
    };
}

in_order! {
    AdaptiveOptions:
    algorithm initial_limit min_limit max_limit min_window_ms max_window_ms min_samples
    quantile slow_after_ms
}

in_order! {
    BackoffOptions:
    strategy delay_ms max_delay_ms step_ms factor delays_ms repeat_last jitter jitter_factor
    max_attempts max_elapsed_ms
}

in_order! {
    BalanceOptions:
    strategy connection_weight cpu_weight heap_weight stuck_after_ms credit slow_start_ms
    eject_after eject_for_ms latency_decay_ms offer_ms patience_ms max_waiting
    request_inspection_timeout_ms max_header_bytes
}

in_order! {
    BreakerOptions:
    threshold within_ms failure_rate slow_call_rate slow_call_ms window_calls window_ms
    window_slices minimum_calls reset_time_ms reset_backoff permits success_rate lease_ms
    reclose_shares reclose_calls reclose_step_ms mode
}

in_order! {
    CacheOptions:
    ttl_ms stale_while_revalidate_ms stale_if_error_ms jitter
}

in_order! {
    CoalesceOptions:
    max_keys join_within_ms
}

in_order! {
    RoomOptions:
    max_bytes store_timeout_ms version migrate_from
}

in_order! {
    BulkheadOptions:
    max_concurrent max_queue queue_timeout_ms priorities
}

in_order! {
    IdempotencyOptions:
    ttl_ms lock_ms wait_ms max_body_bytes store_timeout_ms
}

in_order! {
    LifecycleOptions:
    grace_ms margin_ms pre_stop_ms drain_delay_ms drain_timeout_ms longest_request_ms hooks_ms
    repeat_within_ms shortened_ms in_cluster env_grace_seconds
}

in_order! {
    RespawnOptions:
    respawn_delay_ms respawn_max_delay_ms respawn_limit respawn_window_ms
}

in_order! {
    RetryOptions:
    max_attempts max_elapsed_ms delay_ms max_delay_ms backoff jitter_factor respect_retry_after
    max_retry_after_ms idempotent wait_for_refusals
}

in_order! {
    PlanNumbers:
    order budget deadline_ms timeout_ms hedge_ms queue_ms elapsed_ms log
}

in_order! {
    FailureNumbers:
    attempt elapsed_ms previous_ms verdict retry_after_ms wanted refused delay_ms remaining_ms
}

in_order! {
    RateOptions:
    limit per_ms burst kind max_queue max_wait_ms
}

in_order! {
    ThrottleOptions:
    k window_ms minimum_calls max_rejection
}

in_order! {
    BudgetOptions:
    tokens ratio min_concurrency per_second max_tokens
}

in_order! {
    TimeoutOptions:
    timeout_ms quantile factor min_ms max_ms fallback_ms min_samples window_ms least_ms late_ms
}

in_order! {
    HedgeOptions:
    delay_ms quantile min_ms fallback_ms min_samples window_ms max_hedges
}

in_order! {
    TurnOptions:
    max_in_flight max_pressure max_tries head_timeout_ms stall_timeout_ms answer_timeout_ms
    keep_alive_ms worker_keep_alive_ms max_idle
}

in_order! {
    WatchOptions:
    kind timeout_ms interval_ms max_age_ms failures successes abandon_ms
}

in_order! {
    JudgeOptions:
    readiness_block_ms liveness_block_ms readiness_level
}

in_order! {
    Snapshot:
    version state since_ms left_ms open_for_ms openings step last_failure_ms last_failure_wall_ms
    rule memory
}

impl Snapshot {
    /// The numbers of a snapshot.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        let fields = [
            f64::from(self.version),
            f64::from(self.state),
            self.since_ms,
            self.left_ms,
            self.open_for_ms,
            f64::from(self.openings),
            f64::from(self.step),
            self.last_failure_ms,
            self.last_failure_wall_ms,
            f64::from(self.rule),
            self.memory.len() as f64,
        ];
        let mut numbers = Vec::with_capacity(fields.len().saturating_add(self.memory.len()));
        numbers.extend_from_slice(&fields);
        numbers.extend_from_slice(&self.memory);
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn nested_and_missing_parts() {
        let mut numbers = vec![f64::NAN; 24];
        let backoff = [1.0, 4.0, f64::NAN, f64::NAN, f64::NAN, f64::NAN, 2.0, 7.0, 8.0, 1.0];
        numbers.splice(10..10, backoff);
        numbers[0] = 3.0;
        let read_back: BreakerOptions = read(&numbers);
        let want = BackoffOptions {
            strategy: Some(4),
            delays_ms: Some(vec![7.0, 8.0]),
            repeat_last: Some(true),
            ..BackoffOptions::default()
        };
        assert_eq!(
            read_back,
            BreakerOptions {
                threshold: Some(3.0),
                reset_backoff: Some(want),
                ..BreakerOptions::default()
            }
        );
        assert_eq!(read::<BreakerOptions>(&[]), BreakerOptions::default());
    }

    #[test]
    fn lists_end_with_the_numbers() {
        let mut numbers = Numbers::new(&[2.0, 7.0, 8.0, 9e15, 1.0]);
        let mut lists = [const { Vec::new() }; 3];
        lists.iter_mut().for_each(|list| list.read_from(&mut numbers));
        assert_eq!(lists, [vec![7.0, 8.0], vec![1.0], vec![]]);
    }

    #[test]
    fn a_snapshot_survives() {
        let snapshot = Snapshot {
            version: 1,
            state: 1,
            left_ms: 12.5,
            memory: vec![1.0, 2.0, 3.0],
            ..Default::default()
        };
        assert_eq!(read::<Snapshot>(&snapshot.to_numbers()), snapshot);
    }
}
