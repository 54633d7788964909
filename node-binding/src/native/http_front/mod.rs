//! Requests balanced one by one: read by a thread of the primary, answered by whichever worker has
//! its turn, over connections that are kept.
//!
//! What passes and what is refused, whose turn a request is and whether it is sent again stands in
//! [`seawall::http`]; here bytes move. A connection has one task, which reads a request, sends it to
//! a worker and passes the answer on as it comes: a side that reads slowly is waited for, and no
//! more of a body is held than a buffer of each direction.

mod answer;
mod buffer;
mod client;
mod counters;
mod exchange;
mod links;
mod measure;
mod search;
mod stream;
mod timing;
mod tunnel;
mod upload;
mod watch;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use napi::bindgen_prelude::Float64Array;
use napi::{Error, Result};
use napi_derive::napi;
use seawall::door::numbers;
use seawall::http::pass::{Forwarding, Limits};
use seawall::http::{SETTLE_FOR, TurnConfig, TurnOptions, links_for};

use super::ask::{Ask, tell};
use super::balancing::balance_config;
use super::failed::failed;
use super::relay::{self, Start};
use crate::options::refused;
use counters::HttpCounters;

/// How often is looked for what has taken too long.
const SWEEP: Duration = Duration::from_millis(50);

/// What the connections of a front of requests have in common.
struct Front {
    config: TurnConfig,
    limits: Limits,
    forwarding: Forwarding,
    /// Whether a client that has ended its half still gets its answer.
    half_open: bool,
    counters: Arc<HttpCounters>,
    stopping: AtomicBool,
    /// From when on, in ms, connections without a request are ended; the end of time until it stops.
    ends_at: AtomicU64,
}

thread_local! {
    static FRONT: RefCell<Option<Arc<Front>>> = const { RefCell::new(None) };
    /// Whether this thread of a front looks for what has taken too long.
    static SWEEPS: Cell<bool> = const { Cell::new(false) };
}

/// Has this thread look after its connections from now on.
fn start_sweeping(front: &Arc<Front>) {
    if SWEEPS.replace(true) {
        return;
    }
    let front = Arc::clone(front);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(SWEEP).await;
            watch::sweep(watch::now() >= front.ends_at.load(Ordering::Relaxed));
            links::sweep(front.config.link_for);
        }
    });
}

/// The bits of `flags`.
const TRUST: u32 = 1;
const X_FORWARDED: u32 = 2;
const FORWARDED: u32 = 4;
const HALF_OPEN: u32 = 8;

/// Takes the address for clients, in place of the front there was; -1 after a refusal of `options`
/// or `turns`. With `ask`, that function is told of each request; `relay_choose` answers. All else is
/// done by the functions of the relay.
#[napi]
pub fn http_start(
    host: String,
    port: u32,
    options: &[f64],
    turns: &[f64],
    flags: u32,
    seed: f64,
    ask: Option<Ask<'_>>,
) -> Result<f64> {
    let balance = match balance_config(options) {
        Ok(balance) => balance,
        Err(refusal) => return Ok(refusal),
    };
    let config = match numbers::read::<TurnOptions>(turns).build() {
        Ok(config) => config,
        Err(problem) => return Ok(refused(&problem)),
    };
    let port = u16::try_from(port).map_err(|_| Error::from_reason("no such port"))?;
    let has = |flag: u32| flags & flag != 0;
    let front = Arc::new(Front {
        config,
        limits: Limits { head: balance.max_header_bytes as usize },
        forwarding: Forwarding {
            trust: has(TRUST),
            x_forwarded: has(X_FORWARDED),
            standard: has(FORWARDED),
        },
        half_open: has(HALF_OPEN),
        counters: Arc::default(),
        stopping: AtomicBool::new(false),
        ends_at: AtomicU64::new(u64::MAX),
    });
    let tell = ask.map(tell).transpose()?;
    let start = Start { host: &host, port, threads: 1, config: balance, seed: seed as u64, tell };
    let served = Arc::clone(&front);
    relay::start(start, move |shared, accepted| {
        client::serve(Arc::clone(&served), shared, accepted)
    })
    .map_err(|error| failed(&error))?;
    FRONT.replace(Some(front));
    Ok(0.0)
}

/// What was counted of requests, in the order of the package's `HTTP_COUNTS`.
#[napi]
pub fn http_counts() -> Float64Array {
    let counts = FRONT.with_borrow(|front| front.as_ref().map(|front| front.counters.numbers()));
    Float64Array::new(counts.unwrap_or_default())
}

/// For how many ms requests that are on their way are waited for after `http_stop`.
#[napi]
pub fn http_settle_ms() -> f64 {
    SETTLE_FOR.as_secs_f64() * 1e3
}

/// For how many ms a worker that leaves waits until its connections without a request have been ended.
#[napi]
pub fn http_links_ms() -> f64 {
    links_for(SWEEP).as_secs_f64() * 1e3
}

/// Ends each connection with its next answer, and those without a request after so many ms.
#[napi]
pub fn http_stop(linger_ms: f64) {
    FRONT.with_borrow(|front| {
        if let Some(front) = front {
            let ends_at = watch::now().saturating_add(linger_ms as u64);
            front.ends_at.store(ends_at, Ordering::Relaxed);
            front.stopping.store(true, Ordering::Relaxed);
        }
    });
}
