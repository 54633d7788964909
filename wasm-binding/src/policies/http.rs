//! Requests over HTTP: see `core/src/http`.

use seawall::classify::{Verdict, is_idempotent};
use seawall::http::{Instances, Request, judge};
use seawall::options::Checks;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::handles::{free, keep, on};
use crate::numbers::Numbers;
use crate::policies::Policy;

/// What follows from the end of one attempt: the outcome, and 4 more if it may be sent again.
#[wasm_bindgen(js_name = httpJudge)]
pub fn http_judge(method: &str, status: u32, packed: f64, flags: u32) -> u32 {
    let status = u16::try_from(status).unwrap_or(0);
    let verdict = Verdict::from_packed(packed);
    judge(method, status, verdict, Request::from_flags(flags)).to_code()
}

/// Whether doing it twice is as good as once, by the method alone.
#[wasm_bindgen(js_name = httpIsIdempotent)]
pub fn http_is_idempotent(method: &str) -> bool {
    is_idempotent(method)
}

/// A handle for so many instances.
#[wasm_bindgen(js_name = instancesNew)]
pub fn instances_new(count: u32) -> f64 {
    keep(Policy::Instances(Instances::new(count)), Checks::new())
}

/// The instances in the order in which to try them.
#[wasm_bindgen(js_name = instancesOrder)]
pub fn instances_order(handle: u32, tried: Numbers) -> Numbers {
    let tried: Vec<u32> = tried.iter().map(|index| *index as u32).collect();
    let order = on(handle, |policy| match policy {
        Policy::Instances(instances) => {
            Some(instances.order(&tried).into_iter().map(f64::from).collect::<Vec<_>>())
        }
        _ => None,
    });
    order.into()
}

/// Notes that an instance has failed.
#[wasm_bindgen(js_name = instancesFailed)]
pub fn instances_failed(handle: u32, index: u32) {
    on(handle, |policy| {
        if let Policy::Instances(instances) = policy {
            instances.failed(index);
        }
        None::<()>
    });
}

/// Gives the handle back.
#[wasm_bindgen(js_name = instancesFree)]
pub fn instances_free(handle: u32) {
    free::<Policy>(handle);
}
