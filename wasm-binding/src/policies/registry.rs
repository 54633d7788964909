//! Which breakers of a registry to let go: see `core/src/rotation.rs`.

use seawall::Instant;
use seawall::options::Checks;
use seawall::rotation::{Activity, Rotation};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::engine::breaker;
use crate::handles::{free, keep, on};
use crate::numbers::Numbers;
use crate::policies::Policy;

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = registryNew)]
pub fn registry_new(max: f64, idle_ms: f64) -> f64 {
    let mut checks = Checks::new();
    keep(Policy::Rotation(Rotation::make(max, idle_ms, &mut checks)), checks)
}

/// Adds a breaker and answers those to let go.
#[wasm_bindgen(js_name = registryAdd)]
pub fn registry_add(handle: u32, breaker: u32, now: f64) -> Numbers {
    let activity = |id| {
        breaker::get(id, now).map_or(Activity { uses: 0, holds: false }, |(breaker, _)| Activity {
            uses: breaker.uses(),
            holds: !breaker.is_idle(),
        })
    };
    let gone = on(handle, |policy| match policy {
        Policy::Rotation(rotation) => {
            let mut gone = Vec::new();
            rotation.add(breaker, Instant::from_millis(now), activity, |id| gone.push(id.into()));
            Some(gone)
        }
        _ => None,
    });
    gone.into()
}

/// Forgets a breaker that is gone.
#[wasm_bindgen(js_name = registryRemove)]
pub fn registry_remove(handle: u32, breaker: u32) {
    on(handle, |policy| {
        if let Policy::Rotation(rotation) = policy {
            rotation.remove(breaker);
        }
        None::<()>
    });
}

/// Gives the handle back.
#[wasm_bindgen(js_name = registryFree)]
pub fn registry_free(handle: u32) {
    free::<Policy>(handle);
}
