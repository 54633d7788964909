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
    let accepted = accept(checks) >= 0.0;
    Float64Array::new(accepted.then(|| sharing.to_numbers()).unwrap_or_default())
}
