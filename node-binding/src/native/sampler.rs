//! The one native thread that looks at all loops of the process.
//!
//! It is started for the first and ends with the last. While a loop does something it looks every
//! 20 ms, and at the very instant a stall would become one. While all of them wait it looks every
//! 50 ms, and after two seconds of that every 100 ms: a turn that begins just after a look is seen
//! when it is that old, and looked at again when it reaches the limit.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use napi::bindgen_prelude::{ArrayBuffer, Float64Array, Function, Uint8Array};
use napi::{Env, Error, Result};
use napi_derive::napi;
use seawall::Instant;
use seawall::os::Sampler as OsSampler;
use seawall::pressure::recorder::Recording;
use seawall::pressure::{Monitor, SIGNALS, Signals};

#[cfg(unix)]
use super::refusals;
use super::routes::{self, Route};
use super::watch::{self, Memory, Watched, hook};
use super::{clock, frozen, record, threads};

/// From look to look, while a loop does something, while none does, and while none has for long.
const BUSY: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_millis(50);
const QUIET: Duration = Duration::from_millis(100);
/// How many looks at waiting loops are long.
const LONG: u32 = 40;
/// How often the operating system is asked, in the same two cases.
const OS_BUSY: Duration = Duration::from_millis(500);
const OS_IDLE: Duration = Duration::from_millis(1000);

#[derive(Default)]
struct Shared {
    loops: Vec<Arc<Watched>>,
    thread: Option<Running>,
}

struct Running {
    stop: Arc<AtomicBool>,
    handle: JoinHandle<()>,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { loops: Vec::new(), thread: None });
static CHANGED: Condvar = Condvar::new();

fn shared() -> MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Looks at a loop from now on; false where the system has no room for a thread, and nobody looks.
pub(super) fn add(watched: Arc<Watched>) -> bool {
    let mut shared = shared();
    if shared.thread.is_none() {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("seawall-sampler".into());
        let Ok(handle) = thread.spawn(move || run(&seen)) else { return false };
        shared.thread = Some(Running { stop, handle });
    }
    shared.loops.push(watched);
    drop(shared);
    CHANGED.notify_all();
    true
}

/// No longer; with the last loop the thread ends before this returns.
pub(super) fn remove(watched: &Arc<Watched>) {
    let mut shared = shared();
    shared.loops.retain(|other| !Arc::ptr_eq(other, watched));
    let thread = if shared.loops.is_empty() { shared.thread.take() } else { None };
    if let Some(running) = &thread {
        running.stop.store(true, Ordering::Release);
    }
    drop(shared);
    if let Some(running) = thread {
        CHANGED.notify_all();
        _ = running.handle.join();
    }
}

fn run(stop: &AtomicBool) {
    threads::ignore_signals();
    threads::be_prompt();
    let mut os = OsSampler::new();
    let mut common = Signals::default();
    let mut asked: Option<Instant> = None;
    let mut memories: Vec<(u64, Memory)> = Vec::new();
    let mut loops: Vec<Arc<Watched>> = Vec::new();
    let mut busy = true;
    let mut idle_looks = 0_u32;
    while !stop.load(Ordering::Acquire) {
        loops.clone_from(&shared().loops);
        memories.retain(|(id, _)| loops.iter().any(|watched| watched.id == *id));
        let now = clock::now();
        // It has to be seen again at once.
        frozen::seen(now, Some(now));
        let every = if busy { OS_BUSY } else { OS_IDLE };
        if asked.is_none_or(|at| now.since(at) >= every) {
            asked = Some(now);
            common = os.sample(now);
        }
        let mut wait = if idle_looks >= LONG { QUIET } else { IDLE };
        busy = false;
        for watched in &loops {
            let known = memories.iter().position(|(id, _)| *id == watched.id);
            let place = known.unwrap_or_else(|| {
                memories.push((watched.id, Memory::default()));
                memories.len() - 1
            });
            let memory = &mut memories[place].1;
            let Some((now, look)) = watched.look(memory, &common) else { continue };
            if let Some(soon) = watched.tell(memory, now, &look) {
                busy = true;
                wait = wait.min(BUSY).min(soon.max(Duration::from_micros(500)));
            }
        }
        #[cfg(unix)]
        refusals::look();
        idle_looks = if busy { 0 } else { idle_looks.saturating_add(1) };
        loops.clear();
        let guard = shared();
        if !stop.load(Ordering::Acquire) {
            let now = clock::now();
            frozen::seen(now, Some(now.after(wait)));
            drop(CHANGED.wait_timeout(guard, wait));
        }
    }
    frozen::seen(clock::now(), None);
}

/// The present state of a loop, for what answers while JavaScript cannot.
pub(crate) struct Current {
    pub(crate) signals: Signals,
    /// For how long the present turn has lasted.
    pub(crate) age: Duration,
    watched: Arc<Watched>,
}

impl Current {
    /// The last route entered.
    pub(crate) fn route(&self) -> Route {
        self.watched.route()
    }

    /// Whether what the monitor knows is what was seen of this loop.
    pub(crate) fn is_seen_by(&self, monitor: &Arc<Monitor>) -> bool {
        self.watched.is_seen_by(monitor)
    }
}

/// What is known at this instant of the loop that a thread runs; nothing while nobody watches it. Any
/// thread may ask.
pub(crate) fn current(thread: ThreadId) -> Option<Current> {
    let watched = shared().loops.iter().find(|watched| watched.thread == thread).cloned()?;
    let (_, look) = watched.look(&mut Memory::default(), &watched.latest())?;
    Some(Current { signals: look.signals, age: look.age, watched })
}

/// Observes the monitor from the native thread; false where this runtime has no libuv.
#[napi]
pub fn pressure_watch(env: Env, handle: u32) -> Result<bool> {
    match crate::pressure::monitor(handle) {
        Some(monitor) => watch::watch(&env, handle, monitor),
        None => Ok(false),
    }
}

/// No longer.
#[napi]
pub fn pressure_unwatch(handle: u32) {
    watch::unwatch(handle);
}

/// What is known of this isolate's loop at this instant, by the places of the signals.
#[napi]
pub fn pressure_signals() -> Float64Array {
    let current = current(std::thread::current().id());
    let signals = current.map(|current| current.signals.0);
    Float64Array::new(signals.unwrap_or([f64::NAN; SIGNALS]).to_vec())
}

/// The number of a route, to be written into the first word of [`pressure_routes`]; 0 for none.
#[napi]
pub fn pressure_route(route: String) -> u32 {
    routes::number(&route) as u32
}

/// The memory into which JavaScript writes the number of the route entered (word 0), and in bytes how
/// much of its heap is in use (2) and its limit (3).
#[napi]
pub fn pressure_routes(env: Env) -> Result<Option<ArrayBuffer<'static>>> {
    hook().map(|hook| Arc::clone(&hook.watched.entered).memory(&env)).transpose()
}

/// From which length in ms on a turn is a stall, and whether the stack of what blocks is asked for.
#[napi]
pub fn pressure_stall_limit(limit_ms: f64, stacks: bool) {
    if let Some(hook) = hook() {
        let limit = Instant::from_millis(limit_ms).since(Instant::ZERO);
        hook.watched.set_stalls(limit, stacks);
    }
}

/// Calls `listener` when a stall is over, on the loop between two turns. It must not throw.
#[napi]
pub fn pressure_on_stall(listener: Option<Function<(), ()>>) -> Result<()> {
    if let Some(hook) = hook() {
        hook.set_on_stall(listener.map(|listener| listener.create_ref()).transpose()?);
    }
    Ok(())
}

/// A stall that is over.
#[napi(object)]
pub struct NativeStall {
    pub number: f64,
    /// By `performance.now()`.
    pub began_ms: f64,
    pub length_ms: f64,
    /// How long it had lasted when it was seen from outside; NaN where it was over by then.
    pub seen_ms: f64,
    pub route: String,
    pub entered_during: bool,
    pub stack: String,
}

/// The stalls after the one of a number, the oldest first.
#[napi]
pub fn pressure_stalls(after: f64) -> Vec<NativeStall> {
    let Some(hook) = hook() else { return Vec::new() };
    let watched = &hook.watched;
    let ms = |duration| Instant::from(duration).as_millis();
    let stalls = watched.stalls();
    stalls
        .after(after as u64)
        .map(|stall| NativeStall {
            number: stall.number as f64,
            began_ms: watched.isolate_time(stall.began).as_millis(),
            length_ms: ms(stall.length),
            seen_ms: stall.seen.map_or(f64::NAN, ms),
            route: stall.route.name.as_ref().to_owned(),
            entered_during: stall.route.during,
            stack: stall.stack.clone().unwrap_or_default(),
        })
        .collect()
}

/// Records this isolate's loop into a file from now on, which is made or written over.
#[napi]
pub fn pressure_record(path: String) -> Result<bool> {
    let Some(hook) = hook() else { return Ok(false) };
    let recorder = record::in_file(&path).map_err(|error| Error::from_reason(error.to_string()))?;
    *hook.watched.recorder() = Some(recorder);
    Ok(true)
}

/// What is recorded of this isolate's loop, as the bytes of a recording.
#[napi]
pub fn pressure_recording() -> Option<Uint8Array> {
    let hook = hook()?;
    let recorder = hook.watched.recorder();
    recorder.as_ref().map(|recorder| Uint8Array::new(recorder.bytes().to_vec()))
}

/// A recording that was read.
#[napi(object)]
pub struct NativeRecording {
    pub process: u32,
    pub wall_ms: f64,
    pub torn: u32,
    /// For each record its time in ms, kind, level, pressure, and the signals.
    pub numbers: Float64Array,
    pub routes: Vec<String>,
}

/// Reads the bytes of a recording; nothing where they are none.
#[napi]
pub fn recording_read(bytes: &[u8]) -> Option<NativeRecording> {
    let recording = Recording::read(bytes)?;
    let mut numbers = Vec::with_capacity(recording.records.len() * (4 + SIGNALS));
    let mut routes = Vec::with_capacity(recording.records.len());
    for record in recording.records {
        let kind = f64::from(record.kind as u8);
        numbers.extend([record.at.as_millis(), kind, f64::from(record.level), record.pressure]);
        numbers.extend(record.signals.0);
        routes.push(record.route);
    }
    let (process, wall_ms) = (recording.process, recording.wall_ms);
    let (torn, numbers) = (recording.torn as u32, Float64Array::new(numbers));
    Some(NativeRecording { process, wall_ms, torn, numbers, routes })
}
