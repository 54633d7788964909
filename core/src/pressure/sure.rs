//! Requests that are refused whoever asks: what those are told who need not ask.

use super::judge::{Judge, MAINTENANCE};
use crate::limit::priority::{Ask, CLASS_LEVELS, Priority, REMEMBERED};

impl Judge {
    /// How many classes, from the lowest, are refused whatever their levels within; none in a dry
    /// run, in which nobody is.
    pub(super) fn sure(&self) -> u16 {
        let dry_run = self.config.dry_run && !self.maintenance;
        if dry_run { 0 } else { self.threshold / CLASS_LEVELS }
    }

    /// Counts requests of a class that were refused as [`Judge::sure`] says, and remembers the last.
    pub(super) fn refused(&mut self, class: Priority, times: u32) {
        self.count(usize::from(class as u8), times);
        for _ in 0..times.min(u32::from(REMEMBERED)) {
            let _ = self.priorities.judge_at(&Ask::class(class), MAINTENANCE);
        }
        self.set_threshold();
    }

    /// A time to come back after, in s, of the part `of` between one and two drains; 0: not known.
    pub(super) fn lot(&mut self, place: usize, of: usize) -> f64 {
        if self.drain_ms < 1_000.0 {
            return 0.0;
        }
        let part = (place as f64 + self.lots.unit()) / of as f64;
        libm::round(libm::ceil(self.drain_ms / 1_000.0) * (1.0 + part))
    }
}
