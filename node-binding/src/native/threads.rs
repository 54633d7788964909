//! What the threads of this package have in common.

#[cfg(unix)]
use std::io::{self, ErrorKind};
#[cfg(unix)]
use std::time::Duration;

/// Signals are for the threads that want them, not for the calling one.
#[cfg(unix)]
pub(super) fn ignore_signals() {
    // SAFETY: a set of this function's own, filled before it is used.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

#[cfg(not(unix))]
pub(super) fn ignore_signals() {}

/// Waits until one of the descriptors is ready, or for so long; without a time until one is.
#[cfg(unix)]
pub(super) fn wait(places: &mut [libc::pollfd], left: Option<Duration>) {
    // Rounded up, so that the time has come when it returns.
    let ms = left.map_or(-1, |left| i32::try_from(left.as_millis()).unwrap_or(60_000) + 1);
    // SAFETY: the pointer and the length are those of a list that outlives the call.
    let count = unsafe { libc::poll(places.as_mut_ptr(), places.len() as libc::nfds_t, ms) };
    if count < 0 {
        // Interrupted or without memory: all are looked at, and none waits.
        for place in places {
            place.revents = place.events;
        }
    }
}

/// Whether a client that was to be accepted has gone already: no reason to let others wait.
#[cfg(unix)]
pub(super) fn has_gone(error: &io::Error) -> bool {
    let kinds = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted];
    kinds.contains(&error.kind())
}
