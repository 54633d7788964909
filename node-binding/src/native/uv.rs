//! The few functions of libuv that watch a loop, found in the running program.
//!
//! An addon that names them would not load where they are not. Bun has them as stubs that abort: who
//! asks for them must know that this is Node.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::OnceLock;

/// `uv_loop_t`, of which nothing is known here.
pub(super) type Loop = c_void;
/// A `uv_handle_t` of some kind.
pub(super) type Handle = c_void;

/// `UV_PREPARE` and `UV_METRICS_IDLE_TIME` in `uv.h`; part of libuv's stable interface.
const UV_PREPARE: c_int = 9;
const UV_METRICS_IDLE_TIME: c_int = 1;

type Callback = unsafe extern "C" fn(*mut Handle);

/// libuv, where this process runs on it.
#[derive(Clone, Copy)]
pub(super) struct Uv {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    prepare_init: unsafe extern "C" fn(*mut Loop, *mut Handle) -> c_int,
    prepare_start: unsafe extern "C" fn(*mut Handle, Callback) -> c_int,
    prepare_stop: unsafe extern "C" fn(*mut Handle) -> c_int,
    unref: unsafe extern "C" fn(*mut Handle),
    close: unsafe extern "C" fn(*mut Handle, Option<Callback>),
    set_data: unsafe extern "C" fn(*mut Handle, *mut c_void),
    configure: unsafe extern "C" fn(*mut Loop, c_int, ...) -> c_int,
    idle_time: unsafe extern "C" fn(*mut Loop) -> u64,
}

/// The address of a symbol of the running program.
#[cfg(unix)]
pub(super) fn symbol(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the name ends with a zero; looking a symbol up runs no code of it.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

#[cfg(not(unix))]
pub(super) fn symbol(_name: &CStr) -> Option<NonNull<c_void>> {
    None
}

/// The symbol `$name` as a function of the type of the place it is put into.
macro_rules! function {
    ($name:literal) => {{
        let address = $crate::native::uv::symbol($name)?.as_ptr();
        #[allow(clippy::missing_transmute_annotations, reason = "the field says what it is")]
        // SAFETY: the type is that of the library's interface, which it keeps within a major version;
        // where there is `dlsym`, a pointer to a function is as wide as one to data.
        let function = unsafe { std::mem::transmute::<*mut std::ffi::c_void, _>(address) };
        function
    }};
}
pub(super) use function;

impl Uv {
    pub(super) fn get() -> Option<&'static Self> {
        static UV: OnceLock<Option<Uv>> = OnceLock::new();
        UV.get_or_init(Self::find).as_ref()
    }

    fn find() -> Option<Self> {
        Some(Self {
            handle_size: function!(c"uv_handle_size"),
            prepare_init: function!(c"uv_prepare_init"),
            prepare_start: function!(c"uv_prepare_start"),
            prepare_stop: function!(c"uv_prepare_stop"),
            unref: function!(c"uv_unref"),
            close: function!(c"uv_close"),
            set_data: function!(c"uv_handle_set_data"),
            configure: function!(c"uv_loop_configure"),
            idle_time: function!(c"uv_metrics_idle_time"),
        })
    }

    /// For how many ns the loop has waited for work since it was made, to the present.
    ///
    /// # Safety
    /// `on` must be a loop that is not closed. Any thread may ask.
    pub(super) unsafe fn idle_time(&self, on: *mut Loop) -> u64 {
        // SAFETY: the caller's; libuv takes a lock of its own.
        unsafe { (self.idle_time)(on) }
    }
}

/// What is called at each turn of a loop.
pub(super) trait OnTurn {
    /// The loop is about to wait for work.
    fn turn(&self);
}

/// Calls its target each time a loop is about to wait for work, until it is dropped. Does not keep
/// the loop alive.
pub(super) struct Prepare {
    uv: &'static Uv,
    handle: *mut Handle,
}

/// What belongs to a handle until libuv has let go of it.
struct Hook {
    target: Rc<dyn OnTurn>,
    /// The handle itself, in words of 16 bytes: aligned as anything in it can ask for.
    memory: *mut [u128],
}

impl Prepare {
    /// Nothing where libuv refuses.
    ///
    /// # Safety
    /// `on` must be the loop of this thread and run once more after the drop, as Node's loops do
    /// before they are closed.
    pub(super) unsafe fn start(
        uv: &'static Uv,
        on: *mut Loop,
        target: Rc<dyn OnTurn>,
    ) -> Option<Self> {
        // SAFETY: the number of a kind that every libuv has.
        let bytes = unsafe { (uv.handle_size)(UV_PREPARE) };
        let memory = Box::into_raw(vec![0_u128; bytes.div_ceil(16)].into_boxed_slice());
        let handle = memory.cast::<Handle>();
        // SAFETY: the loop is open and of this thread, the memory as large as libuv says. Without the
        // option the loop would not measure how long it waits; Node sets it, and twice is as once.
        let status = unsafe {
            match (uv.configure)(on, UV_METRICS_IDLE_TIME) {
                0 => (uv.prepare_init)(on, handle),
                refused => refused,
            }
        };
        if status != 0 {
            // SAFETY: it was made above, and libuv did not take it.
            drop(unsafe { Box::from_raw(memory) });
            return None;
        }
        let hook = Box::into_raw(Box::new(Hook { target, memory }));
        // SAFETY: the handle is initialised; the hook lives until `closed` has run.
        unsafe {
            (uv.set_data)(handle, hook.cast());
            (uv.prepare_start)(handle, turned);
            (uv.unref)(handle);
        }
        Some(Self { uv, handle })
    }
}

impl Drop for Prepare {
    fn drop(&mut self) {
        // SAFETY: the handle is open, since only this closes it, and of this thread, since nothing
        // here is `Send`.
        unsafe {
            (self.uv.prepare_stop)(self.handle);
            (self.uv.close)(self.handle, Some(closed));
        }
    }
}

unsafe extern "C" fn turned(handle: *mut Handle) {
    // SAFETY: libuv hands over the handle it was given, whose data is the hook until `closed`.
    let hook = unsafe { &*data(handle).cast::<Hook>() };
    hook.target.turn();
}

unsafe extern "C" fn closed(handle: *mut Handle) {
    // SAFETY: as above; libuv has let go of the handle, and calls this once.
    let hook = unsafe { Box::from_raw(data(handle).cast::<Hook>()) };
    // SAFETY: it was made by `start`, and nobody has it any more.
    drop(unsafe { Box::from_raw(hook.memory) });
}

/// What was put into a handle: its first field, by the interface of libuv.
///
/// # Safety
/// A handle that libuv handed over.
unsafe fn data(handle: *mut Handle) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { handle.cast::<*mut c_void>().read() }
}
