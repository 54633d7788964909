//! Connections handed over: accepted by a thread of the primary, adopted by the loop of a worker.
//!
//! The primary keeps its own descriptor of each connection until the worker has claimed it in
//! memory that both share ([`seawall::balance::claim`]); unclaimed in time, it goes to another.
//! Nothing is copied, so the client's address, TLS and every protocol stay as they are.

mod arrivals;
mod back;
mod clock;
mod front;
mod peer;
mod placing;
mod poll;
mod questions;
mod refuse;
mod run;
mod uv;
mod wire;

use std::cell::RefCell;
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use napi::bindgen_prelude::{ArrayBuffer, Float64Array, Function, JsValue};
use napi::{Env, Error, Result, sys};
use napi_derive::napi;

use super::ask::{Ask, Choice, tell};
use super::balancing::balance_config;
use super::board::{Board, WORDS, Word};
use super::failed::failed;
use super::relay::load_numbers;
use super::watch;
use back::Back;
use front::{Counters, Front};
use questions::Questions;

thread_local! {
    static FRONT: RefCell<Option<Front>> = const { RefCell::new(None) };
    static BACK: RefCell<Option<Joined>> = const { RefCell::new(None) };
}

/// A worker's end and what of JavaScript it holds.
struct Joined {
    back: Back,
    board: Arc<Board>,
    env: sys::napi_env,
    adopt: sys::napi_ref,
    context: sys::napi_async_context,
}

impl Drop for Joined {
    fn drop(&mut self) {
        // SAFETY: made by `back_join` on this thread, let go once.
        unsafe {
            sys::napi_delete_reference(self.env, self.adopt);
            sys::napi_async_destroy(self.env, self.context);
        }
    }
}

/// Takes the address for clients and listens for workers; -1 after a refusal of `options`. One for
/// each process. With `ask`, that function is told of each connection: its number, the first bytes
/// of what the client sent, and its address; `front_choose` answers.
#[napi]
pub fn front_start(
    host: String,
    port: u32,
    control: String,
    options: &[f64],
    seed: f64,
    ask: Option<Ask<'_>>,
) -> Result<f64> {
    let config = match balance_config(options) {
        Ok(config) => config,
        Err(refusal) => return Ok(refusal),
    };
    let port = u16::try_from(port).map_err(|_| Error::from_reason("no such port"))?;
    let questions = match ask {
        None => None,
        Some(ask) => Some(Questions::new(tell(ask)?, config)),
    };
    let control = Path::new(&control);
    let front = Front::start(&host, port, control, config, seed as u64, questions);
    let front = front.map_err(|error| failed(&error))?;
    FRONT.replace(Some(front));
    Ok(0.0)
}

fn with_front<T>(act: impl FnOnce(&Front) -> T) -> Option<T> {
    FRONT.with_borrow(|front| front.as_ref().map(act))
}

/// The address that clients connect to.
#[napi]
pub fn front_host() -> String {
    with_front(|front| front.address().ip().to_string()).unwrap_or_default()
}

/// The port that clients connect to.
#[napi]
pub fn front_port() -> u32 {
    with_front(|front| u32::from(front.address().port())).unwrap_or(0)
}

/// Counts, in the order of the package's `FRONT_COUNTS`.
#[napi]
pub fn front_counts() -> Float64Array {
    let counts = with_front(|front| {
        let Counters {
            accepted,
            handed,
            taken_back,
            refused,
            waiting,
            offered,
            leaving,
            asked,
            closed,
            workers,
            accept_error,
        } = front.counters();
        let gauges = [waiting, offered, asked, leaving, workers];
        [[accepted, handed, taken_back, refused, closed], gauges]
            .concat()
            .into_iter()
            .chain([accept_error])
            .map(|count| count.load(Ordering::Relaxed) as f64)
            .collect()
    });
    Float64Array::new(counts.unwrap_or_default())
}

/// What each worker says of itself at this instant, nine numbers for each: its place, whether it
/// is ready, connections, requests under way, ms its loop has not turned, pressure, percent of a
/// processor, part of the heap in use, and how long its answers take, where that is measured.
#[napi]
pub fn front_loads() -> Float64Array {
    let loads = with_front(Front::loads).unwrap_or_default();
    Float64Array::new(loads.into_iter().flat_map(load_numbers).collect())
}

/// Lets clients connect.
///
/// # Errors
///
/// What listening failed with: another process may have come first since the address was bound.
#[napi]
pub fn front_open() -> Result<()> {
    with_front(Front::open).unwrap_or(Ok(())).map_err(|error| failed(&error))
}

/// Answers a question: which worker gets the connection `id`; -1: it is closed; -2: whoever is next.
#[napi]
pub fn front_choose(id: f64, worker: i32) {
    with_front(|front| front.choose(id as u64, Choice::from_number(worker)));
}

/// Accepts no more; what waits for a worker still gets one.
#[napi]
pub fn front_stop() {
    with_front(Front::stop);
}

/// Whether nothing waits any more after `front_stop`.
#[napi]
pub fn front_ended() -> bool {
    with_front(Front::has_ended).unwrap_or(true)
}

/// Joins the front as the worker `index`: `adopt` is called with the descriptors of connections
/// that are this worker's from then on, and with whether the front is still there.
#[napi]
pub fn back_join(
    env: Env,
    control: String,
    index: u32,
    adopt: Function<'_, (), ()>,
) -> Result<ArrayBuffer<'static>> {
    let raw = env.raw();
    let (mut reference, mut name, mut context) =
        (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: on the thread of `env`, with values of this call.
    unsafe {
        sys::napi_create_reference(raw, adopt.raw(), 1, &raw mut reference);
        sys::napi_create_string_utf8(raw, c"seawall".as_ptr(), 7, &raw mut name);
        sys::napi_async_init(raw, ptr::null_mut(), name, &raw mut context);
    }
    // SAFETY: on the thread of `env`; reference and context are kept beside what uses them.
    let joined = unsafe { Back::join(Path::new(&control), index.into(), raw, reference, context) };
    let (back, board) = joined.map_err(|error| failed(&error))?;
    let data = board.words();
    // SAFETY: the board given as the hint keeps the mapping, which never moves, for as long as the
    // buffer lives. The words are written by JavaScript whole and read by the primary.
    let memory = unsafe {
        ArrayBuffer::from_external(&env, data, WORDS * 8, Arc::clone(&board), |_env, board| {
            drop(board);
        })?
    };
    BACK.replace(Some(Joined { back, board, env: raw, adopt: reference, context }));
    env.add_env_cleanup_hook((), |()| drop(BACK.take()))?;
    Ok(memory)
}

/// Whether waiting for connections keeps the process alive.
#[napi]
pub fn back_hold(held: bool) {
    BACK.with_borrow(|joined| {
        if let Some(Joined { back, .. }) = joined {
            back.hold(held);
        }
    });
}

/// Has the native thread that watches this isolate's loop write for how long it has not turned;
/// false where none does.
#[napi]
pub fn back_watch() -> bool {
    BACK.with_borrow(|joined| {
        let Some(Joined { board, .. }) = joined else { return false };
        let board = Arc::clone(board);
        watch::on_look(Box::new(move |age| board.set(Word::Block, age.as_secs_f64() * 1e3)))
    })
}

/// Leaves the front, which then offers to others.
#[napi]
pub fn back_leave() {
    drop(BACK.take());
}
