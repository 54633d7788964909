//! When nobody ran the process: a thread that wakes by the clock sees it by its own lateness. Of a
//! process that was stopped by a signal, or frozen with its container, every thread was.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall::Instant;

/// A thread that rests most of the time is run sooner than this, however much others want to be. A turn
/// in which nobody ran the process for less is not blamed for it anyway.
const LATE: Duration = Duration::from_millis(150);
/// How many gaps are kept.
const KEPT: usize = 16;

/// The gaps that one thread has seen.
#[derive(Debug)]
pub(super) struct Frozen {
    /// When the thread has to be seen again; nothing while there is none.
    due: Option<Instant>,
    gaps: VecDeque<(Instant, Instant)>,
}

/// Those of the process.
static FROZEN: Mutex<Frozen> = Mutex::new(Frozen::new());

fn frozen() -> MutexGuard<'static, Frozen> {
    FROZEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread runs, and has to be seen again at `due`; nothing: it ends.
pub(super) fn seen(now: Instant, due: Option<Instant>) {
    frozen().seen(now, due);
}

/// For how long of the time from `begin` to `end`, which is the present, nobody ran the process.
pub(super) fn within(begin: Instant, end: Instant) -> Duration {
    frozen().within(begin, end)
}

impl Frozen {
    const fn new() -> Self {
        Self { due: None, gaps: VecDeque::new() }
    }

    fn seen(&mut self, now: Instant, due: Option<Instant>) {
        if let Some(gap) = self.present(now) {
            if self.gaps.len() >= KEPT {
                self.gaps.pop_front();
            }
            self.gaps.push_back(gap);
        }
        self.due = due;
    }

    /// The gap that lasts until now.
    fn present(&self, now: Instant) -> Option<(Instant, Instant)> {
        self.due.filter(|due| now.since(*due) >= LATE).map(|due| (due, now))
    }

    fn within(&self, begin: Instant, end: Instant) -> Duration {
        let gaps = self.gaps.iter().copied().chain(self.present(end));
        gaps.map(|(from, to)| to.min(end).since(from.max(begin))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO.after(Duration::from_millis(ms))
    }

    #[test]
    fn a_thread_that_is_seen_late_was_kept_from_running() {
        let ms = Duration::from_millis;
        let mut frozen = Frozen::new();
        assert_eq!(frozen.within(at(0), at(500)), ms(0), "there is no thread");
        frozen.seen(at(500), Some(at(520)));
        assert_eq!(frozen.within(at(400), at(669)), ms(0), "a little late");
        assert_eq!(frozen.within(at(400), at(820)), ms(300), "and it is not there yet");
        assert_eq!(frozen.within(at(600), at(820)), ms(220), "of a turn that began later");
        frozen.seen(at(820), Some(at(820)));
        assert_eq!(frozen.within(at(400), at(830)), ms(300));
        assert_eq!(frozen.within(at(400), at(700)), ms(180));
        assert_eq!(frozen.within(at(820), at(830)), ms(0), "over");
        frozen.seen(at(900), None);
        assert_eq!(frozen.within(at(400), at(2_000)), ms(300), "seen in time, and ended");
    }

    #[test]
    fn only_the_last_gaps_are_kept() {
        let mut frozen = Frozen::new();
        for round in 0..40 {
            frozen.seen(at(round * 200), Some(at(round * 200 + 20)));
        }
        assert_eq!(frozen.gaps.len(), KEPT);
        let ms = Duration::from_millis;
        assert_eq!(frozen.within(at(7_600), at(7_800)), ms(180));
        assert_eq!(frozen.within(at(4_000), at(4_600)), ms(0), "forgotten");
    }
}
