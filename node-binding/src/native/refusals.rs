//! Refuses new connections of a server in a thread, also while JavaScript cannot.
//!
//! The thread has a descriptor of its own for the socket on which the server listens, and looks at it
//! only while the monitor refuses all. Then whoever of the two is first accepts; JavaScript is kept
//! from it where the system allows ([`pause`]). What is not to be refused, and what has not yet said
//! what it wants when the pressure is over, is given to JavaScript with the bytes that were read.

mod client;
mod door;
mod head;
mod pause;
mod thread;
mod waiter;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::Env;
use napi::bindgen_prelude::{Buffer, Error, Float64Array, Function, Result};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use self::door::{Door, Passed};
use self::pause::Pause;
use crate::pressure::monitor;

pub(crate) use self::thread::look;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A door, and what keeps JavaScript's loop from accepting there.
struct Opened {
    door: Arc<Door>,
    pause: Option<Pause>,
}

/// Connections on their way to the thread of an isolate.
type Queue = Mutex<VecDeque<Passed>>;

thread_local! {
    static DOORS: RefCell<BTreeMap<u32, Opened>> = const { RefCell::new(BTreeMap::new()) };
    /// Connections that JavaScript was told of, by their tickets. An isolate that is being ended is
    /// told too, but does not run: so nothing is given away before it is asked for.
    static TOLD: RefCell<BTreeMap<u32, Passed>> = const { RefCell::new(BTreeMap::new()) };
}

/// A connection for JavaScript.
#[napi(object, object_from_js = false)]
pub struct PassedConnection {
    pub descriptor: i32,
    /// What was read of it.
    pub bytes: Buffer,
}

/// Refuses for the monitor of a handle what comes to the socket of a descriptor, from now on. Requests
/// for one of `paths` are JavaScript's: `passed` gets a ticket for each, to take it with. `body` is JSON.
///
/// # Errors
///
/// There is no such monitor, or the system has no room for a descriptor or a thread.
#[napi]
pub fn refusals_open(
    env: Env,
    descriptor: i32,
    handle: u32,
    paths: Vec<String>,
    body: String,
    passed: Function<'_, u32, ()>,
) -> Result<u32> {
    let monitor = monitor(handle).ok_or_else(|| Error::from_reason("no such monitor"))?;
    // Weak: what waits for connections that are refused keeps no process alive.
    // Beside the calls, for what an isolate that ends was not called for is forgotten.
    let queue: Arc<Queue> = Arc::default();
    let taken = Arc::clone(&queue);
    let left = Arc::downgrade(&queue);
    let passed =
        passed.build_threadsafe_function::<()>().weak::<true>().build_callback(move |_| {
            let next = lock(&taken).pop_front();
            let next = next.ok_or_else(|| Error::from_reason("there is no connection"))?;
            let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
            TOLD.with_borrow_mut(|told| told.insert(ticket, next));
            Ok(ticket)
        })?;
    let pass = move |what: Passed| {
        lock(&queue).push_back(what);
        let is_called =
            passed.call((), ThreadsafeFunctionCallMode::NonBlocking) == napi::Status::Ok;
        if !is_called {
            // Only one thread puts something there: the last one has no call.
            drop(lock(&queue).pop_back());
        }
        is_called
    };
    let failed = |error: std::io::Error| Error::from_reason(error.to_string());
    let pause = Pause::of(&env, descriptor);
    let door = Door::new(descriptor, &monitor, paths, body, Box::new(pass)).map_err(failed)?;
    let door = Arc::new(door);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    thread::add(number, Arc::clone(&door)).map_err(failed)?;
    DOORS.with_borrow_mut(|doors| doors.insert(number, Opened { door, pause }));
    // An isolate that ends takes its doors with it, and closes what it will not take.
    env.add_env_cleanup_hook((number, left), |(number, left)| {
        close(number);
        drop(left.upgrade().map(|left| lock(&left).drain(..).collect::<Vec<_>>()));
        drop(TOLD.take());
    })?;
    Ok(number)
}

/// The connection of a ticket, which is JavaScript's from now on; nothing if it was taken.
#[napi]
pub fn refusals_take(ticket: u32) -> Option<PassedConnection> {
    let (descriptor, bytes) = TOLD.with_borrow_mut(|told| told.remove(&ticket))?.take();
    Some(PassedConnection { descriptor: descriptor.into_raw_fd(), bytes: bytes.into() })
}

/// Keeps JavaScript from accepting while all are refused, and lets it again afterwards; to be called
/// on its thread when the pressure may have changed. Whether all are refused.
#[napi]
pub fn refusals_settle(number: u32) -> bool {
    DOORS.with_borrow(|doors| {
        let Some(Opened { door, pause }) = doors.get(&number) else { return false };
        // Before JavaScript stops accepting: the thread sleeps until it is told.
        if door.judge() {
            thread::tell();
        }
        let shut = door.is_shut();
        if let Some(pause) = pause {
            pause.set(shut);
        }
        shut
    })
}

/// Connections accepted, requests refused, connections given to JavaScript, and given up.
#[napi]
pub fn refusals_counts(number: u32) -> Float64Array {
    let counts = DOORS
        .with_borrow(|doors| doors.get(&number).map(|opened| opened.door.counts().to_numbers()));
    Float64Array::new(counts.map(Vec::from).unwrap_or_default())
}

/// Refuses nothing any more; the socket is JavaScript's alone when this returns.
#[napi]
pub fn refusals_close(number: u32) {
    close(number);
}

fn lock(queue: &Queue) -> MutexGuard<'_, VecDeque<Passed>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

fn close(number: u32) {
    let opened = DOORS.with_borrow_mut(|doors| doors.remove(&number));
    if let Some(Opened { pause, door }) = opened {
        if let Some(pause) = pause {
            pause.set(false);
        }
        drop(door);
        thread::remove(number);
    }
}
