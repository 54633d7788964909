//! What the threads of this package have in common.

/// Prepares the calling thread: signals are for those who want them, and a turn on the processor that
/// is soon over comes soon.
pub(super) fn prepare() {
    ignore_signals();
    ask_for_short_turns();
}

#[cfg(unix)]
fn ignore_signals() {
    // SAFETY: a set of this function's own, filled before it is used.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

#[cfg(not(unix))]
fn ignore_signals() {}

/// The shortest turn that Linux gives, in ns.
#[cfg(target_os = "linux")]
const TURN: u64 = 100_000;

/// `struct sched_attr`, in its first version.
#[cfg(target_os = "linux")]
#[derive(Default)]
#[repr(C)]
struct Schedule {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Where others keep the processors busy, a thread that asks for short turns need not wait for as long
/// (Linux 6.12 and later, for everybody); it gets no more of the processor by that.
#[cfg(target_os = "linux")]
fn ask_for_short_turns() {
    const SIZE: u32 = size_of::<Schedule>() as u32;
    let mut schedule = Schedule::default();
    // SAFETY: both calls are told the size of what they read and write, which outlives them; 0 is the
    // calling thread. Where they fail nothing has changed.
    unsafe {
        if libc::syscall(libc::SYS_sched_getattr, 0, &raw mut schedule, SIZE, 0) != 0
            || schedule.policy != libc::SCHED_OTHER as u32
        {
            return;
        }
        schedule.size = SIZE;
        schedule.runtime = TURN;
        libc::syscall(libc::SYS_sched_setattr, 0, &raw const schedule, 0);
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_short_turns() {}
