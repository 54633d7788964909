//! Keeps a loop from accepting on a socket on which it listens. libuv has nothing for that, but says
//! which epoll its loop waits by: a descriptor in it can be told to wait for nothing for a while.
//!
//! On the thread of the loop alone, so that the descriptor cannot become another's meanwhile.

use std::cell::Cell;
use std::ffi::c_int;

use napi::Env;

use crate::native::uv::{Loop, function};

/// A socket in the epoll of the loop of this thread.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there is no epoll to ask"))]
pub(super) struct Pause {
    epoll: c_int,
    descriptor: c_int,
    paused: Cell<bool>,
}

impl Pause {
    /// Nothing where loops do not wait by epoll.
    pub(super) fn of(env: &Env, descriptor: c_int) -> Option<Self> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let backend: unsafe extern "C" fn(*const Loop) -> c_int = function!(c"uv_backend_fd");
        let on: *mut Loop = env.get_uv_event_loop().ok()?.cast();
        // SAFETY: the open loop of this thread.
        let epoll = unsafe { backend(on) };
        (epoll >= 0).then_some(Self { epoll, descriptor, paused: Cell::new(false) })
    }

    /// Whether the loop is to accept nothing from now on. A loop that has not yet waited since the
    /// server began to listen does not know the socket, and another at the same socket may have let it
    /// accept; then it accepts until this is called again.
    pub(super) fn set(&self, paused: bool) {
        if (paused || self.paused.get()) && self.wait_for(!paused) {
            self.paused.set(paused);
        }
    }

    #[cfg(target_os = "linux")]
    fn wait_for(&self, connections: bool) -> bool {
        let events = if connections { libc::EPOLLIN as u32 } else { 0 };
        // As libuv writes it, which finds its watcher by the descriptor.
        let mut event = libc::epoll_event { events, u64: self.descriptor as u64 };
        // SAFETY: the event outlives the call. Where the descriptor is not there any more, it fails and
        // nothing has changed.
        unsafe {
            libc::epoll_ctl(self.epoll, libc::EPOLL_CTL_MOD, self.descriptor, &raw mut event) == 0
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self, reason = "as where there is an epoll")]
    const fn wait_for(&self, _connections: bool) -> bool {
        false
    }
}
