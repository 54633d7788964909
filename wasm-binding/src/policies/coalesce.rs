//! The limits of coalescers: see `core/src/coalesce.rs`.

use seawall::coalesce::CoalesceOptions;
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::accept;
use crate::numbers::Numbers;

/// The most executions, and the ms for which one is joined; empty after a refusal.
#[wasm_bindgen(js_name = coalesceLimits)]
pub fn coalesce_limits(options: Numbers) -> Numbers {
    let mut checks = Checks::new();
    let sharing = options.read::<CoalesceOptions>().make(&mut checks);
    (accept(checks) >= 0.0).then(|| sharing.to_numbers()).into()
}
