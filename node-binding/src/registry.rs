//! Which breakers of a registry to let go: see `core/src/rotation.rs`.

use std::cell::RefCell;

use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;
use seawall::Instant;
use seawall::door::Slab;
use seawall::rotation::{Activity, Rotation};

use crate::breaker;
use crate::options::refused;

thread_local! {
    static REGISTRIES: RefCell<Slab<Rotation>> = const { RefCell::new(Slab::new()) };
}

/// A handle, or -1 after a refusal.
#[napi]
pub fn registry_new(max: f64, idle_ms: f64) -> f64 {
    Rotation::from_options(max, idle_ms)
        .map_or_else(refused, |made| REGISTRIES.with_borrow_mut(|slab| slab.insert(made)).into())
}

/// Adds a breaker and answers those to let go.
#[napi]
pub fn registry_add(handle: u32, breaker: u32, now: f64) -> Float64Array {
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
    Float64Array::new(gone)
}

/// Forgets a breaker that is gone.
#[napi]
pub fn registry_remove(handle: u32, breaker: u32) {
    REGISTRIES.with_borrow_mut(|slab| {
        if let Some(rotation) = slab.get_mut(handle) {
            rotation.remove(breaker);
        }
    });
}

/// Gives the handle back.
#[napi]
pub fn registry_free(handle: u32) {
    REGISTRIES.with_borrow_mut(|slab| slab.remove(handle));
}
