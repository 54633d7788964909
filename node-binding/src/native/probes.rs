//! A server for probes and metrics that answers while JavaScript cannot.
//!
//! One thread for the process, however many servers; it begins with the first and ends with the
//! last. It holds nothing of JavaScript: the answers come from words that both sides share.

mod connection;
pub(super) mod head;
mod listener;
mod prometheus;
mod service;
mod text;
mod thread;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::Env;
use napi::bindgen_prelude::{ArrayBuffer, Error, Float64Array, Result};
use napi_derive::napi;
use seawall::door::numbers;
use seawall::health::JudgeOptions;
use seawall::options::Checks;

use self::listener::Listener;
use self::service::{Beat, Label, Labels, Route, Service};
use crate::handles::accept;
use crate::health::shared;
use crate::pressure;

static NEXT: AtomicU32 = AtomicU32::new(1);
static SERVICES: Mutex<BTreeMap<u32, Arc<Service>>> = Mutex::new(BTreeMap::new());

/// The guard, also of a mutex whose holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn service(handle: u32) -> Option<Arc<Service>> {
    lock(&SERVICES).get(&handle).cloned()
}

/// Opens a server and answers its handle, or -1 after a refusal. It listens on `host` and `port`, or
/// on the Unix socket of that path where `port` is below 0. `health` and `monitor` are handles, below
/// 0 none. `routes` are paths, `kinds` what each
/// asks for (3: the metrics).
///
/// # Errors
///
/// It cannot listen there; the text begins with the name or number of the system's error.
#[napi]
#[allow(clippy::too_many_arguments, reason = "numbers cross more cheaply than an object")]
pub fn probe_open(
    env: Env,
    host: String,
    port: f64,
    health: f64,
    monitor: f64,
    routes: Vec<String>,
    kinds: &[f64],
    limits: &[f64],
    details: bool,
    now: f64,
) -> Result<f64> {
    let mut checks = Checks::new();
    let judge = numbers::read::<JudgeOptions>(limits).make(&mut checks);
    let accepted = accept(checks);
    if accepted < 0.0 {
        return Ok(accepted);
    }
    let failed = |error: std::io::Error| Error::from_reason(listener::spell(&error));
    let port = (port >= 0.0).then_some(port as u16);
    let listener = Listener::open(&host, port).map_err(failed)?;
    let address = listener.address().map_err(failed)?;
    let health = if health < 0.0 { None } else { shared(health as u32) };
    let monitor = if monitor < 0.0 { None } else { pressure::monitor(monitor as u32) };
    let routes = routes.into_iter().zip(kinds.iter().map(|kind| Route::from_code(*kind))).collect();
    let service = Arc::new(Service::new(address, routes, judge, details, (health, monitor), now));
    let handle = NEXT.fetch_add(1, Ordering::Relaxed);
    thread::add(handle, listener, Arc::clone(&service)).map_err(failed)?;
    lock(&SERVICES).insert(handle, service);
    // A worker that ends takes its servers with it.
    env.add_env_cleanup_hook(handle, |handle| close(handle, false))?;
    Ok(f64::from(handle))
}

/// Where a server listens: `address:port`, or the path of its socket.
#[napi]
pub fn probe_address(handle: u32) -> String {
    service(handle).map(|service| service.address().to_owned()).unwrap_or_default()
}

/// The words in which JavaScript says when it last turned (ms), and how long it waits in between.
#[napi]
pub fn probe_memory(env: Env, handle: u32) -> Result<ArrayBuffer<'static>> {
    let service = service(handle).ok_or_else(|| Error::from_reason("no such server"))?;
    let beat = service.beat();
    let data = Arc::as_ptr(&beat).cast::<u8>().cast_mut();
    // SAFETY: the `Arc` given as the hint keeps the words, which never move, for as long as the
    // buffer lives. Each is an atomic, so a reader may read while a writer writes.
    unsafe {
        ArrayBuffer::from_external(&env, data, size_of::<Beat>(), beat, |_env, beat| drop(beat))
    }
}

/// Takes the names and messages of the checks of a server, and why it cannot recover; empty: nothing.
#[napi]
pub fn probe_describe(
    handle: u32,
    checks: &[f64],
    names: Vec<String>,
    messages: Vec<String>,
    unrecoverable: String,
) {
    let texts = names.into_iter().zip(messages);
    let label = |(check, (name, message)): (&f64, (String, String))| {
        (*check as u32, Label { name, message })
    };
    let checks = checks.iter().zip(texts).map(label).collect();
    if let Some(service) = service(handle) {
        service.describe(Labels { checks, unrecoverable });
    }
}

/// Connections open, accepted, closed to make room; requests answered, heads refused.
#[napi]
pub fn probe_counts(handle: u32) -> Float64Array {
    let counts = service(handle).map(|service| service.counts().to_numbers());
    Float64Array::new(counts.map(Vec::from).unwrap_or_default())
}

/// Closes a server and all its connections; its port is free when this returns.
#[napi]
pub fn probe_close(handle: u32) {
    close(handle, true);
}

fn close(handle: u32, wait: bool) {
    let known = lock(&SERVICES).remove(&handle).is_some();
    if known {
        thread::remove(handle, wait);
    }
}
