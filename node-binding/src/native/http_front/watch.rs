//! Times that run out: who is waited for too long has its connection ended, which wakes the task
//! that waits. One look at all of them now and then costs less than a timer for each step.

use std::cell::RefCell;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use super::super::clock;
use super::stream::shut;

/// What is waited for on one connection, in one direction. Only the thread that serves it looks.
#[derive(Default)]
pub(super) struct Mark {
    /// In ms of the clock; 0: nothing is waited for.
    until: AtomicU64,
    descriptor: AtomicI32,
    how: AtomicI32,
    late: AtomicBool,
}

/// Now, in ms.
pub(super) fn now() -> u64 {
    clock::now().as_nanos() / 1_000_000
}

impl Mark {
    /// Ends `descriptor` in the direction `how` after `time`; never where that is zero.
    pub(super) fn aim(&self, descriptor: RawFd, how: libc::c_int, time: Duration) {
        self.descriptor.store(descriptor, Ordering::Relaxed);
        self.how.store(how, Ordering::Relaxed);
        self.late.store(false, Ordering::Relaxed);
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let until = if time == 0 { 0 } else { now().saturating_add(time) };
        self.until.store(until, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        self.until.store(0, Ordering::Relaxed);
    }

    /// Whether the time has run out since it was set or this was last asked.
    pub(super) fn was_late(&self) -> bool {
        self.late.swap(false, Ordering::Relaxed)
    }

    fn look(&self, now: u64) {
        let until = self.until.load(Ordering::Relaxed);
        if until != 0 && now >= until {
            self.late.store(true, Ordering::Relaxed);
            self.clear();
            shut(self.descriptor.load(Ordering::Relaxed), self.how.load(Ordering::Relaxed));
        }
    }
}

/// The times of one client's connection.
pub(super) struct Watch {
    /// From the client.
    pub(super) up: Mark,
    /// To the client, or of the worker that is to answer it.
    pub(super) down: Mark,
    /// The client's descriptor while it is between two requests, else -1.
    idle: AtomicI32,
    ended: AtomicBool,
}

impl Watch {
    pub(super) fn is_idle_at(&self, descriptor: Option<RawFd>) {
        self.idle.store(descriptor.unwrap_or(-1), Ordering::Relaxed);
    }
}

thread_local! {
    /// Those of the connections this thread serves.
    static WATCHES: RefCell<Vec<Arc<Watch>>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a watch among the others for as long as it lives.
pub(super) struct Watched(Arc<Watch>);

impl Watched {
    pub(super) fn new() -> Self {
        let watch = Arc::new(Watch {
            up: Mark::default(),
            down: Mark::default(),
            idle: AtomicI32::new(-1),
            ended: AtomicBool::new(false),
        });
        WATCHES.with_borrow_mut(|watches| watches.push(Arc::clone(&watch)));
        Self(watch)
    }
}

impl std::ops::Deref for Watched {
    type Target = Watch;

    fn deref(&self) -> &Watch {
        &self.0
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

/// Ends what has taken too long on this thread; with `idle`, also what is between two requests, of
/// which is still read what has come.
pub(super) fn sweep(idle: bool) {
    let now = now();
    WATCHES.with_borrow_mut(|watches| {
        watches.retain(|watch| {
            if watch.ended.load(Ordering::Relaxed) {
                return false;
            }
            watch.up.look(now);
            watch.down.look(now);
            let descriptor = watch.idle.load(Ordering::Relaxed);
            if idle && descriptor >= 0 {
                shut(descriptor, libc::SHUT_RD);
            }
            true
        });
    });
}
