//! Repeated requests on the side of the server: see `core/src/http/idempotency.rs`.

use seawall::http::{
    Found, Idempotency, IdempotencyOptions, is_kept_header, is_kept_status, is_key,
};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{free, keep, on};
use crate::millis::{duration, millis};
use crate::numbers::Numbers;
use crate::policies::Policy;

/// A handle, or -1 after a refusal. The options are the numbers of `IdempotencyOptions`.
#[wasm_bindgen(js_name = idempotencyNew)]
pub fn idempotency_new(options: Numbers) -> f64 {
    let options = options.read::<IdempotencyOptions>();
    let mut checks = Checks::new();
    let rule = Idempotency::make(&options, &mut checks);
    keep(Policy::Idempotency(rule), checks)
}

#[inline(never)]
fn rule(handle: u32) -> Option<Idempotency> {
    on(handle, |policy| match policy {
        Policy::Idempotency(rule) => Some(*rule),
        _ => None,
    })
}

/// What to do with a request: a wait in ms, or a step below 0.
#[wasm_bindgen(js_name = idempotencyStep)]
pub fn idempotency_step(
    handle: u32,
    found: u32,
    same: bool,
    age_ms: f64,
    waited_ms: f64,
    looks: u32,
) -> f64 {
    let found = Found::from_code(found, same, duration(age_ms));
    rule(handle).map_or(-1.0, |rule| rule.step(found, duration(waited_ms), looks).to_code())
}

/// How long an answer is kept, in ms.
#[wasm_bindgen(js_name = idempotencyTtl)]
pub fn idempotency_ttl(handle: u32) -> f64 {
    rule(handle).map_or(0.0, |rule| millis(rule.ttl()))
}

/// How long a key is held for a request that does not end, in ms.
#[wasm_bindgen(js_name = idempotencyLock)]
pub fn idempotency_lock(handle: u32) -> f64 {
    rule(handle).map_or(0.0, |rule| millis(rule.lock()))
}

/// How long the store may take for one thing, in ms.
#[wasm_bindgen(js_name = idempotencyStoreTimeout)]
pub fn idempotency_store_timeout(handle: u32) -> f64 {
    rule(handle).map_or(0.0, |rule| millis(rule.store_timeout()))
}

/// Whether an answer of so many bytes is kept.
#[wasm_bindgen(js_name = idempotencyHolds)]
pub fn idempotency_holds(handle: u32, bytes: f64) -> bool {
    rule(handle).is_some_and(|rule| rule.holds(bytes))
}

/// Whether an answer with this status is repeated for later requests.
#[wasm_bindgen(js_name = idempotencyKeeps)]
pub fn idempotency_keeps(status: u32) -> bool {
    is_kept_status(u16::try_from(status).unwrap_or(0))
}

/// Whether a header of an answer is repeated with it.
#[wasm_bindgen(js_name = idempotencyKeepsHeader)]
pub fn idempotency_keeps_header(name: &str) -> bool {
    is_kept_header(name)
}

/// Whether a text can be a key.
#[wasm_bindgen(js_name = idempotencyIsKey)]
pub fn idempotency_is_key(text: &str) -> bool {
    is_key(text)
}

/// Gives the handle back.
#[wasm_bindgen(js_name = idempotencyFree)]
pub fn idempotency_free(handle: u32) {
    free::<Policy>(handle);
}
