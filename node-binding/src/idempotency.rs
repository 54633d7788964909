//! Repeated requests on the side of the server: see `core/src/http/idempotency.rs`.

use napi_derive::napi;
use seawall::door::numbers;
use seawall::http::{
    Found, Idempotency, IdempotencyOptions, is_kept_header, is_kept_status, is_key,
};
use seawall::options::Checks;

use crate::handles::{Policy, free, keep, on};
use crate::millis::{duration, millis};

/// A handle, or -1 after a refusal. The options are the numbers of `IdempotencyOptions`.
#[napi]
pub fn idempotency_new(options: &[f64]) -> f64 {
    let options = numbers::read::<IdempotencyOptions>(options);
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
#[napi]
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
#[napi]
pub fn idempotency_ttl(handle: u32) -> f64 {
    rule(handle).map_or(0.0, |rule| millis(rule.ttl()))
}

/// How long a key is held for a request that does not end, in ms.
#[napi]
pub fn idempotency_lock(handle: u32) -> f64 {
    rule(handle).map_or(0.0, |rule| millis(rule.lock()))
}

/// How long the store may take for one thing, in ms.
#[napi]
pub fn idempotency_store_timeout(handle: u32) -> f64 {
    rule(handle).map_or(0.0, |rule| millis(rule.store_timeout()))
}

/// Whether an answer of so many bytes is kept.
#[napi]
pub fn idempotency_holds(handle: u32, bytes: f64) -> bool {
    rule(handle).is_some_and(|rule| rule.holds(bytes))
}

/// Whether an answer with this status is repeated for later requests.
#[napi]
pub fn idempotency_keeps(status: u32) -> bool {
    is_kept_status(u16::try_from(status).unwrap_or(0))
}

/// Whether a header of an answer is repeated with it.
#[napi]
pub fn idempotency_keeps_header(name: String) -> bool {
    is_kept_header(&name)
}

/// Whether a text can be a key.
#[napi]
pub fn idempotency_is_key(text: String) -> bool {
    is_key(&text)
}

/// Gives the handle back.
#[napi]
pub fn idempotency_free(handle: u32) {
    free(handle);
}
