//! How much of the processor the thread of a loop has used, as any thread may ask.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall::Instant;
use seawall::pressure::{AT_WORK, at_work};

use super::frozen;

/// A turn that has only lasted for so long has done nothing worth the name.
const FRESH: Duration = Duration::from_millis(5);

/// The clock of a thread's use of the processor, where the system has one.
#[derive(Debug)]
pub(super) struct ThreadClock {
    #[cfg(target_os = "linux")]
    clock: Option<libc::clockid_t>,
    /// What it showed, in ns, when a turn was last seen to have just begun.
    before: AtomicU64,
}

impl ThreadClock {
    /// The clock of the calling thread.
    pub(super) fn of_this_thread() -> Self {
        let clock = Self {
            #[cfg(target_os = "linux")]
            clock: clock_of_this_thread(),
            before: AtomicU64::new(0),
        };
        clock.before.store(clock.nanos().unwrap_or(0), Ordering::Relaxed);
        clock
    }

    /// What it shows, in ns. The thread must not have ended.
    #[cfg(target_os = "linux")]
    pub(super) fn nanos(&self) -> Option<u64> {
        let clock = self.clock?;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is this function's own.
        let status = unsafe { libc::clock_gettime(clock, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
        (status == 0).then(|| seconds.saturating_mul(1_000_000_000).saturating_add(rest))
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self, reason = "as where there is a clock")]
    pub(super) const fn nanos(&self) -> Option<u64> {
        None
    }

    /// For how long a turn counts that has lasted for `wall` at the moment `now`; `seen` is what the clock
    /// showed before `wall` was looked at.
    pub(super) fn worked(&self, wall: Duration, now: Instant, seen: Option<u64>) -> Duration {
        if wall < FRESH
            && let Some(seen) = seen
        {
            self.before.store(seen, Ordering::Relaxed);
        }
        self.of(wall, now)
    }

    /// The same of a turn that is over, by the thread itself.
    pub(super) fn worked_last(&self, wall: Duration, now: Instant) -> Duration {
        let worked = self.of(wall, now);
        // To ask the clock at every turn would cost more than the shortest of them.
        if wall >= FRESH
            && let Some(now) = self.nanos()
        {
            self.before.store(now, Ordering::Relaxed);
        }
        worked
    }

    fn of(&self, wall: Duration, now: Instant) -> Duration {
        // What is shorter counts as it is: no limit is so short.
        if wall < AT_WORK {
            return wall;
        }
        let before = self.before.load(Ordering::Relaxed);
        let cpu = self.nanos().map(|now| Duration::from_nanos(now.saturating_sub(before)));
        let began = Instant::ZERO.after(now.since(Instant::ZERO).saturating_sub(wall));
        at_work(wall, cpu, frozen::within(began, now))
    }
}

#[cfg(target_os = "linux")]
fn clock_of_this_thread() -> Option<libc::clockid_t> {
    let mut clock = 0;
    // SAFETY: this thread runs, and the number is this function's own.
    let status = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
    (status == 0).then_some(clock)
}
