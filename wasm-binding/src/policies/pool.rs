//! Sizes of connection pools: see `core/src/pool.rs`.

use seawall::options::Checks;
use seawall::pool::PoolOptions;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::accept;
use crate::millis::some;
use crate::numbers::Numbers;

/// Size, usable connections, processes, 1 if it fits; empty after a refusal. NaN is the default.
#[wasm_bindgen(js_name = poolSize)]
pub fn pool_size(
    server_max: f64,
    instances: f64,
    processes: f64,
    reserve: f64,
    held: f64,
) -> Numbers {
    let options = PoolOptions {
        server_max: some(server_max),
        instances: some(instances),
        processes: some(processes),
        reserve: some(reserve),
        held: some(held),
    };
    let mut checks = Checks::new();
    let pool = options.make(&mut checks);
    let accepted = accept(checks) >= 0.0;
    let numbers = [pool.size.into(), pool.usable, pool.processes as f64, pool.fits.into()];
    accepted.then(|| numbers.to_vec()).into()
}
