//! The few functions of libuv that are needed to wait for a descriptor on a loop.

use std::ffi::{c_int, c_void};

use crate::native::uv::function;

/// `uv_poll_t`, whose size only libuv knows; its first word is the user's.
#[repr(C)]
pub(super) struct PollHandle {
    pub(super) data: *mut c_void,
}

type Init = unsafe extern "C" fn(*mut c_void, *mut PollHandle, c_int) -> c_int;
type Start = unsafe extern "C" fn(*mut PollHandle, c_int, PollCallback) -> c_int;
type Stop = unsafe extern "C" fn(*mut PollHandle) -> c_int;
type Close = unsafe extern "C" fn(*mut PollHandle, CloseCallback);
type Change = unsafe extern "C" fn(*mut PollHandle);
type Size = unsafe extern "C" fn(c_int) -> usize;

pub(super) type PollCallback = unsafe extern "C" fn(*mut PollHandle, c_int, c_int);
pub(super) type CloseCallback = unsafe extern "C" fn(*mut PollHandle);

pub(super) const READABLE: c_int = 1;
const UV_POLL: c_int = 8;

/// Found in the program itself; all or nothing.
#[derive(Clone, Copy)]
pub(super) struct Uv {
    pub(super) init: Init,
    pub(super) start: Start,
    pub(super) stop: Stop,
    pub(super) close: Close,
    pub(super) hold: Change,
    pub(super) release: Change,
    handle_size: Size,
}

impl Uv {
    pub(super) fn find() -> Option<Self> {
        Some(Self {
            init: function!(c"uv_poll_init"),
            start: function!(c"uv_poll_start"),
            stop: function!(c"uv_poll_stop"),
            close: function!(c"uv_close"),
            hold: function!(c"uv_ref"),
            release: function!(c"uv_unref"),
            handle_size: function!(c"uv_handle_size"),
        })
    }

    /// Memory for a handle, zeroed; freed with [`free`].
    pub(super) fn allocate(&self) -> *mut PollHandle {
        // SAFETY: the size of a handle type that exists; `calloc` aligns for every type.
        unsafe { libc::calloc(1, (self.handle_size)(UV_POLL)).cast() }
    }
}

/// Frees a handle that is closed, or was never started.
pub(super) unsafe extern "C" fn free(handle: *mut PollHandle) {
    // SAFETY: it came from `allocate`, and the loop has let go of it.
    unsafe { libc::free(handle.cast()) };
}
