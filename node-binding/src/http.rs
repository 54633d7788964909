//! Requests over HTTP: see `core/src/http`.

use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;
use seawall::classify::{Verdict, is_idempotent};
use seawall::http::{Instances, Request, judge};
use seawall::options::Checks;

use crate::handles::{Policy, free, keep, on};

/// What follows from the end of one attempt: the outcome, and 4 more if it may be sent again.
#[napi]
pub fn http_judge(method: String, status: u32, packed: f64, flags: u32) -> u32 {
    let status = u16::try_from(status).unwrap_or(0);
    let verdict = Verdict::from_packed(packed);
    judge(&method, status, verdict, Request::from_flags(flags)).to_code()
}

/// Whether doing it twice is as good as once, by the method alone.
#[napi]
pub fn http_is_idempotent(method: String) -> bool {
    is_idempotent(&method)
}

/// A handle for so many instances.
#[napi]
pub fn instances_new(count: u32) -> f64 {
    keep(Policy::Instances(Instances::new(count)), Checks::new())
}

/// The instances in the order in which to try them.
#[napi]
pub fn instances_order(handle: u32, tried: &[f64]) -> Float64Array {
    let tried: Vec<u32> = tried.iter().map(|index| *index as u32).collect();
    let order = on(handle, |policy| match policy {
        Policy::Instances(instances) => {
            Some(instances.order(&tried).into_iter().map(f64::from).collect::<Vec<_>>())
        }
        _ => None,
    });
    Float64Array::new(order.unwrap_or_default())
}

/// Notes that an instance has failed.
#[napi]
pub fn instances_failed(handle: u32, index: u32) {
    on(handle, |policy| {
        if let Policy::Instances(instances) = policy {
            instances.failed(index);
        }
        None::<()>
    });
}

/// Gives the handle back.
#[napi]
pub fn instances_free(handle: u32) {
    free(handle);
}
