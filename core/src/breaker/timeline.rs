//! A clock that never goes back, made of one that might.

use crate::time::Instant;

/// Readings of several threads may be this far out of order without anybody
/// having turned the clock back.
const SKEW: u64 = 1_000_000_000;

/// Turns the caller's readings into a time that only moves forward.
///
/// A step back of more than a second counts as no time passing, and time goes on
/// from there: a breaker that opened before the step closes after its duration,
/// not when the old reading comes round again. Smaller steps are the disorder of
/// threads and leave the time where it was.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timeline {
    now: u64,
    /// How far this time runs ahead of the caller's clock.
    lead: u64,
}

impl Timeline {
    /// The time at the caller's reading `raw`.
    pub(crate) fn read(&mut self, raw: Instant) -> Instant {
        let time = raw.as_nanos().saturating_add(self.lead);
        let back = self.now.saturating_sub(time);
        if back > SKEW {
            self.lead = self.lead.saturating_add(back);
        }
        self.now = self.now.max(time);
        self.now()
    }

    /// Goes on from `time` instead, if that is later, without the caller's clock moving.
    pub(crate) fn move_to(&mut self, time: Instant) {
        let ahead = time.as_nanos().saturating_sub(self.now);
        self.lead = self.lead.saturating_add(ahead);
        self.now = self.now.saturating_add(ahead);
    }

    /// The latest time read.
    pub(crate) const fn now(self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// What the caller's clock shows at `time`.
    pub(crate) const fn raw(self, time: Instant) -> Instant {
        Instant::from_nanos(time.as_nanos().saturating_sub(self.lead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_step_back_costs_no_time() {
        let mut line = Timeline::default();
        assert_eq!(line.read(at(3_600_000)), at(3_600_000));
        assert_eq!(line.read(at(10)), at(3_600_000));
        assert_eq!(line.read(at(15)), at(3_600_005));
        assert_eq!(line.raw(at(3_600_005)), at(15));
    }

    #[test]
    fn moving_on_leaves_the_callers_clock_alone() {
        let mut line = Timeline::default();
        line.read(at(10));
        line.move_to(at(500));
        assert_eq!((line.now(), line.raw(line.now())), (at(500), at(10)));
        assert_eq!(line.read(at(11)), at(501));
        line.move_to(at(3));
        assert_eq!(line.now(), at(501));
    }

    #[test]
    fn disorder_of_threads_does_not_add_up() {
        let mut line = Timeline::default();
        line.read(at(1000));
        for _ in 0..1000 {
            assert_eq!(line.read(at(999)), at(1000));
            assert_eq!(line.read(at(1000)), at(1000));
        }
    }
}
