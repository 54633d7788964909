//! What the threads of this package have in common.

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
