//! The limits of coalescers: see `core/src/coalesce.rs`.

use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;
use seawall::coalesce::CoalesceOptions;
use seawall::door::numbers;
use seawall::options::Checks;

use crate::handles::accept;

/// The most executions, and the ms for which one is joined; empty after a refusal.
#[napi]
pub fn coalesce_limits(options: &[f64]) -> Float64Array {
    let mut checks = Checks::new();
    let sharing = numbers::read::<CoalesceOptions>(options).make(&mut checks);
    Float64Array::new(if accept(checks) < 0.0 { Vec::new() } else { sharing.to_numbers() })
}
