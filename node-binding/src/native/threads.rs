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

/// Asks that the calling thread be run soon after it wakes, for it works in short bursts: before one
/// that has computed for long and is not through with its turn (a shorter slice, which Linux allows
/// everybody from 6.12 on). Where that is not to be had nothing happens.
#[cfg(target_os = "linux")]
pub(super) fn be_prompt() {
    // A filter of system calls may end a process for one that it does not expect.
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    if !status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "0"])) {
        return;
    }
    let mut how = Scheduling::default();
    let size = size_of::<Scheduling>() as u32;
    // SAFETY: the system writes so many bytes at most, of which all are plain numbers. The thread is
    // the calling one.
    let known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut how, size, 0) };
    if known != 0 || how.policy != libc::SCHED_OTHER as u32 {
        return;
    }
    how.size = size;
    how.runtime = SLICE;
    // SAFETY: the system reads so many bytes, which are all set.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const how, 0) };
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn be_prompt() {}

/// The shortest slice there is, in ns.
#[cfg(target_os = "linux")]
const SLICE: u64 = 100_000;

/// `struct sched_attr` of Linux, in the first of its sizes.
#[cfg(target_os = "linux")]
#[derive(Default)]
#[repr(C)]
struct Scheduling {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

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
