//! The end of the process at its deadline, whatever JavaScript does.
//!
//! One thread sleeps until the deadline of the guarded lifecycle, or for good while there is none.
//! When it comes, the thread writes what was still alive and ends the process, without `exit`
//! listeners or destructors: those are what may hang.

use std::fmt::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant as SystemInstant};

use napi_derive::napi;
use seawall::Instant;
use seawall::lifecycle::{Phase, Repeat};

use crate::lifecycle::{Shared, shared};
use crate::native::{sampler, signals};

/// JavaScript knows more of what is alive, so it goes first if it can: its timers are due at the
/// deadline itself.
const SLACK: Duration = Duration::from_millis(15);
/// A third signal is a deadline that JavaScript has yet to hear of.
const HEARS: Duration = Duration::from_millis(50);
/// The least code of an end by a signal.
const SIGNALLED: u8 = 128;
/// JavaScript tells several times a second what is alive; after this it counts as blocked.
const BLOCKED_MS: f64 = 700.0;
/// From when on the last route entered is told.
const STUCK: Duration = Duration::from_millis(300);
/// How long stderr may take, which somebody may have stopped reading.
const WRITE: Duration = Duration::from_millis(40);

struct Guard {
    lifecycle: Shared,
    /// A moment, and what JavaScript's clock showed then.
    origin: (SystemInstant, f64),
    alive: Vec<(String, f64)>,
    note: String,
    /// When JavaScript said what is alive.
    told: Option<f64>,
    /// The one that runs JavaScript.
    thread: ThreadId,
}

static GUARD: Mutex<Option<Guard>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();
static THREAD: Mutex<bool> = Mutex::new(false);

fn guard() -> MutexGuard<'static, Option<Guard>> {
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[allow(clippy::disallowed_methods, reason = "the doors own the clock, not the core")]
fn clock() -> SystemInstant {
    SystemInstant::now()
}

impl Guard {
    fn now_ms(&self) -> f64 {
        let (at, ms) = self.origin;
        ms + at.elapsed().as_secs_f64() * 1000.0
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.now_ms())
    }

    /// How long the process still has; `None` while nothing ends it.
    fn left(&self) -> Option<Duration> {
        let lifecycle = self.lifecycle.lock().unwrap_or_else(PoisonError::into_inner);
        let slack = if lifecycle.forced_code() > SIGNALLED { HEARS } else { SLACK };
        let end = lifecycle.deadline()?.after(slack);
        Some(end.since(self.now()))
    }
}

/// Lets the thread see that the deadline may have changed.
pub(crate) fn look() {
    // Taken, so that the thread is not between its look and its sleep.
    drop(guard());
    CHANGED.notify_all();
}

/// A signal came: moves the guarded lifecycle.
pub(crate) fn signal(number: u8) -> Option<Repeat> {
    let guard = guard();
    let guarded = guard.as_ref()?;
    let now = guarded.now();
    let mut lifecycle = guarded.lifecycle.lock().unwrap_or_else(PoisonError::into_inner);
    let repeat = lifecycle.signal(now, number);
    drop(lifecycle);
    CHANGED.notify_all();
    Some(repeat)
}

/// From now on the process ends at the deadline of that lifecycle.
#[napi]
pub fn lifecycle_guard(handle: u32, now_ms: f64) -> bool {
    let Some(lifecycle) = shared(handle) else { return false };
    let origin = (clock(), now_ms);
    let (alive, note, thread) = (Vec::new(), String::new(), thread::current().id());
    *guard() = Some(Guard { lifecycle, origin, alive, note, told: None, thread });
    CHANGED.notify_all();
    let mut running = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    if !*running {
        let thread = thread::Builder::new().name("seawall-deadline".into()).stack_size(128 * 1024);
        *running = thread.spawn(watch).is_ok();
    }
    *running
}

/// What is alive, for the report.
#[napi]
pub fn lifecycle_alive(now_ms: f64, what: Vec<String>, since_ms: &[f64], note: String) {
    if let Some(guarded) = guard().as_mut() {
        guarded.alive = what.into_iter().zip(since_ms.iter().copied()).collect();
        guarded.note = note;
        guarded.told = Some(now_ms);
    }
}

/// Ends the guard of that handle, and the watch of signals.
#[napi]
pub fn lifecycle_release(handle: u32) {
    let Some(lifecycle) = shared(handle) else { return };
    let mut guard = guard();
    if guard.as_ref().is_some_and(|guarded| Arc::ptr_eq(&guarded.lifecycle, &lifecycle)) {
        *guard = None;
        drop(guard);
        signals::stop();
    }
}

fn watch() {
    let mut guard = guard();
    loop {
        guard = match guard.as_ref().map(Guard::left) {
            Some(Some(left)) if left.is_zero() => break,
            Some(Some(left)) => {
                CHANGED.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
            }
            Some(None) | None => CHANGED.wait(guard).unwrap_or_else(PoisonError::into_inner),
        };
    }
    if let Some(guarded) = guard.as_ref() {
        let (text, code) = report(guarded);
        write(text.as_bytes());
        end(code);
    }
}

fn report(guarded: &Guard) -> (String, u8) {
    let now = guarded.now_ms();
    let lifecycle = guarded.lifecycle.lock().unwrap_or_else(PoisonError::into_inner);
    let (phase, code) = (lifecycle.phase(), lifecycle.forced_code());
    let phase = match phase {
        Phase::Running => "running",
        Phase::NotReady => "notReady",
        Phase::Draining => "draining",
        Phase::Hooks => "hooks",
        Phase::Done => "done",
        Phase::Forced => "forced",
    };
    let why = if code > SIGNALLED { "a third signal" } else { "the deadline" };
    let mut text = String::with_capacity(512);
    // Writing into a string cannot fail.
    let _ =
        writeln!(text, "seawall: {why} has come in phase '{phase}': ends with exit code {code}");
    let blocked = guarded.told.map(|told| now - told);
    let _ = match blocked {
        None => writeln!(text, "seawall: JavaScript has not run since the shutdown began"),
        Some(ms) if ms > BLOCKED_MS => {
            writeln!(text, "seawall: JavaScript has been blocked for {:.1} s", ms / 1000.0)
        }
        Some(_) => Ok(()),
    };
    let stuck = sampler::current(guarded.thread).filter(|current| current.age >= STUCK);
    let route = stuck.map(|current| current.route().name).filter(|route| !route.is_empty());
    if let Some(route) = route {
        let _ = writeln!(text, "seawall: the last route entered: {route}");
    }
    for (what, since) in &guarded.alive {
        let _ = writeln!(text, "seawall: alive: {what}, for {:.1} s", (now - since) / 1000.0);
    }
    if !guarded.note.is_empty() {
        let _ = writeln!(text, "seawall: {}", guarded.note);
    }
    (text, code)
}

/// Writes to stderr as much as it takes without waiting for whoever reads it.
#[cfg(unix)]
fn write(mut text: &[u8]) {
    let until = clock() + WRITE;
    while !text.is_empty() {
        let left = until.saturating_duration_since(clock());
        let mut ready = libc::pollfd { fd: 2, events: libc::POLLOUT, revents: 0 };
        // SAFETY: one descriptor, which lives until the call is over.
        let answer = unsafe { libc::poll(&raw mut ready, 1, left.as_millis() as libc::c_int) };
        if answer <= 0 {
            return;
        }
        // What POSIX promises to take at once from a pipe that is ready.
        let part = &text[..text.len().min(512)];
        // SAFETY: the bytes live until the call is over.
        let written = unsafe { libc::write(2, part.as_ptr().cast(), part.len()) };
        match usize::try_from(written) {
            Ok(written) => text = &text[written..],
            Err(_) if left.is_zero() => return,
            Err(_) => {}
        }
    }
}

#[cfg(not(unix))]
fn write(text: &[u8]) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(text);
}

fn end(code: u8) -> ! {
    #[cfg(unix)]
    // SAFETY: ends the process; nothing of it runs afterwards.
    unsafe {
        libc::_exit(i32::from(code))
    }
    #[cfg(not(unix))]
    std::process::exit(i32::from(code))
}
