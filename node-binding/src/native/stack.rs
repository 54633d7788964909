//! What JavaScript is doing while it blocks its loop: V8 is asked to interrupt it.
//!
//! V8 runs the callback of an interrupt on the thread of the isolate, between two steps of the code
//! that blocks, also in an endless loop of optimised code. Nothing of JavaScript may run in it; to
//! look at the stack is allowed. Code that blocks in C++ is seen when it comes back.
//!
//! The functions are methods of V8's public interface by their names in the program (Itanium ABI),
//! which Node exports for addons; where one is not, there are no stacks. A handle (`v8::Local`) is one
//! pointer, and is what a `napi_value` holds.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};

use napi::sys;

use super::uv::function;
use super::watch::Watched;

type Isolate = *mut c_void;
/// A `v8::Local` of something: empty where it is null.
type Local = *mut c_void;
type Interrupt = unsafe extern "C" fn(Isolate, *mut c_void);

/// Frames of a stack that are told.
const FRAMES: c_int = 20;
/// `v8::StackTrace::kDetailed`.
const DETAILED: c_int = 127;

#[derive(Clone, Copy)]
struct V8 {
    current: unsafe extern "C" fn() -> Isolate,
    interrupt: unsafe extern "C" fn(Isolate, Interrupt, *mut c_void),
    stack: unsafe extern "C" fn(Isolate, c_int, c_int) -> Local,
    count: unsafe extern "C" fn(Local) -> c_int,
    frame: unsafe extern "C" fn(Local, Isolate, u32) -> Local,
    /// `v8::Location`: line and column, from 0 on.
    location: unsafe extern "C" fn(Local) -> Location,
    script: unsafe extern "C" fn(Local) -> Local,
    function: unsafe extern "C" fn(Local) -> Local,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Location {
    line: c_int,
    column: c_int,
}

impl V8 {
    fn get() -> Option<&'static Self> {
        static V8: OnceLock<Option<V8>> = OnceLock::new();
        V8.get_or_init(Self::find).as_ref()
    }

    fn find() -> Option<Self> {
        Some(Self {
            current: function!(c"_ZN2v87Isolate10GetCurrentEv"),
            interrupt: function!(c"_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_"),
            stack: function!(
                c"_ZN2v810StackTrace17CurrentStackTraceEPNS_7IsolateEiNS0_17StackTraceOptionsE"
            ),
            count: function!(c"_ZNK2v810StackTrace13GetFrameCountEv"),
            frame: function!(c"_ZNK2v810StackTrace8GetFrameEPNS_7IsolateEj"),
            location: function!(c"_ZNK2v810StackFrame11GetLocationEv"),
            script: function!(c"_ZNK2v810StackFrame24GetScriptNameOrSourceURLEv"),
            function: function!(c"_ZNK2v810StackFrame15GetFunctionNameEv"),
        })
    }
}

/// The isolate of a thread, to be interrupted by others while it is alive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interruptible {
    isolate: Isolate,
    env: sys::napi_env,
}

// SAFETY: V8 allows any thread to ask for an interrupt; all else is done on the isolate's thread.
unsafe impl Send for Interruptible {}

struct Request {
    watched: Arc<Watched>,
    env: sys::napi_env,
    turn: u64,
}

impl Interruptible {
    /// The isolate of this thread; nothing where V8 cannot be asked.
    pub(super) fn of(env: sys::napi_env) -> Option<Self> {
        // SAFETY: it takes nothing; an addon is called with its isolate entered.
        let isolate = unsafe { (V8::get()?.current)() };
        (!isolate.is_null()).then_some(Self { isolate, env })
    }

    /// Asks for the stack of a turn, which is put among the stalls of `watched`.
    ///
    /// # Safety
    /// The isolate must be alive; that of [`Watched`] is while its lock is held.
    pub(super) unsafe fn ask(self, watched: &Arc<Watched>, turn: u64) {
        let Some(v8) = V8::get() else { return };
        let request = Request { watched: Arc::clone(watched), env: self.env, turn };
        // SAFETY: the caller's. An isolate that ends first forgets the request, whose memory is lost.
        unsafe { (v8.interrupt)(self.isolate, look, Box::into_raw(Box::new(request)).cast()) };
    }
}

unsafe extern "C" fn look(isolate: Isolate, data: *mut c_void) {
    // SAFETY: V8 hands over what it was given, once.
    let request = unsafe { Box::from_raw(data.cast::<Request>()) };
    if request.watched.has_ended() {
        // The environment may be half gone.
        return;
    }
    // SAFETY: on the isolate's thread, with its environment alive, since its clean-up runs on this
    // thread and ends the watching first.
    if let Some(stack) = unsafe { stack(isolate, request.env) } {
        request.watched.stalls().explain(request.turn, stack);
    }
}

/// # Safety
/// On the thread of `isolate`, with `env` alive.
unsafe fn stack(isolate: Isolate, env: sys::napi_env) -> Option<String> {
    let v8 = V8::get()?;
    let mut scope = ptr::null_mut();
    // SAFETY: the environment is alive. The handles made below live in this scope.
    if unsafe { sys::napi_open_handle_scope(env, &mut scope) } != sys::Status::napi_ok {
        return None;
    }
    let mut lines = String::new();
    // SAFETY: each function is given what it is a method of, and no empty handle.
    unsafe {
        let trace = (v8.stack)(isolate, FRAMES, DETAILED);
        let count = if trace.is_null() { 0 } else { (v8.count)(trace).max(0) };
        for index in 0..count.unsigned_abs() {
            let frame = (v8.frame)(trace, isolate, index);
            if frame.is_null() {
                break;
            }
            let Location { line, column } = (v8.location)(frame);
            let function = text(env, (v8.function)(frame));
            let script = text(env, (v8.script)(frame));
            let (line, column) = (line.saturating_add(1), column.saturating_add(1));
            let place = format!("{}:{line}:{column}", script.unwrap_or_default());
            lines += &match function.filter(|name| !name.is_empty()) {
                Some(name) => format!("    at {name} ({place})\n"),
                None => format!("    at {place}\n"),
            };
        }
        sys::napi_close_handle_scope(env, scope);
    }
    lines.truncate(lines.trim_end().len());
    (!lines.is_empty()).then_some(lines)
}

/// The text of a `v8::Local<v8::String>`.
///
/// # Safety
/// As [`stack`]; the handle is of this scope or empty.
unsafe fn text(env: sys::napi_env, string: Local) -> Option<String> {
    if string.is_null() {
        return None;
    }
    let mut bytes = [0_u8; 512];
    let mut length = 0;
    // SAFETY: a `napi_value` is a handle of V8 under another name; no JavaScript runs for a string.
    let status = unsafe {
        let buffer = bytes.as_mut_ptr().cast();
        sys::napi_get_value_string_utf8(env, string.cast(), buffer, bytes.len(), &mut length)
    };
    let text = bytes.get(..length).filter(|_| status == sys::Status::napi_ok)?;
    Some(String::from_utf8_lossy(text).into_owned())
}
