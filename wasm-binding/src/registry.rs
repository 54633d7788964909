//! Which breakers of a registry to let go: see `core/src/rotation.rs`.

use std::cell::RefCell;

use seawall::Instant;
use seawall::door::Slab;
use seawall::rotation::{Activity, Rotation};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::breaker;
use crate::options::refused;

thread_local! {
    static REGISTRIES: RefCell<Slab<Rotation>> = const { RefCell::new(Slab::new()) };
}

/// A handle, or -1 after a refusal.
#[wasm_bindgen(js_name = registryNew)]
pub fn registry_new(max: f64, idle_ms: f64) -> f64 {
    Rotation::from_options(max, idle_ms)
        .map_or_else(refused, |made| REGISTRIES.with_borrow_mut(|slab| slab.insert(made)).into())
}

/// Adds a breaker and answers those to let go.
#[wasm_bindgen(js_name = registryAdd)]
pub fn registry_add(handle: u32, breaker: u32, now: f64) -> Vec<f64> {
    let mut gone = Vec::new();
    let activity = |id| {
        breaker::get(id, now).map_or(Activity { uses: 0, holds: false }, |(breaker, _)| Activity {
            uses: breaker.uses(),
            holds: !breaker.is_idle(),
        })
    };
    REGISTRIES.with_borrow_mut(|slab| {
        if let Some(rotation) = slab.get_mut(handle) {
            rotation.add(breaker, Instant::from_millis(now), activity, |id| gone.push(id.into()));
        }
    });
    gone
}

/// Forgets a breaker that is gone.
#[wasm_bindgen(js_name = registryRemove)]
pub fn registry_remove(handle: u32, breaker: u32) {
    REGISTRIES.with_borrow_mut(|slab| {
        if let Some(rotation) = slab.get_mut(handle) {
            rotation.remove(breaker);
        }
    });
}

/// Gives the handle back.
#[wasm_bindgen(js_name = registryFree)]
pub fn registry_free(handle: u32) {
    REGISTRIES.with_borrow_mut(|slab| slab.remove(handle));
}
