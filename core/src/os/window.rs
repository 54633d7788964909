//! By how much counters rose of late.

use core::time::Duration;

use crate::time::Instant;

/// Each answer covers at least this long, and twice as long at most, where samples come often.
const HALF: Duration = Duration::from_secs(1);

/// Counters that only rise, at two points of the last seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Window<const N: usize> {
    old: Option<(Instant, [u64; N])>,
    young: Option<(Instant, [u64; N])>,
}

impl<const N: usize> Window<N> {
    /// By how much each rose in how many seconds; nothing where there is nothing to compare with. A
    /// counter that fell began anew, and did not rise.
    pub(super) fn risen(&mut self, now: Instant, counters: [u64; N]) -> Option<(f64, [f64; N])> {
        let young = *self.young.get_or_insert((now, counters));
        let old = *self.old.get_or_insert(young);
        if now.since(young.0) >= HALF {
            self.old = self.young.replace((now, counters));
        }
        let seconds = now.since(old.0).as_secs_f64();
        let mut rises = [0.0; N];
        for ((rise, after), before) in rises.iter_mut().zip(counters).zip(old.1) {
            *rise = after.saturating_sub(before) as f64;
        }
        (seconds > 0.0).then_some((seconds, rises))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_covers_one_to_two_seconds() {
        let mut window = Window::<1>::default();
        assert_eq!(window.risen(Instant::ZERO, [5]), None);
        for half in 1..20_u64 {
            let now = Instant::from_nanos(half * 500_000_000);
            let (seconds, [rise]) = window.risen(now, [5 + half]).expect("two points");
            assert_eq!(rise, seconds * 2.0);
            assert!(seconds <= 2.0 && (half < 4 || seconds >= 1.0), "{seconds}");
        }
        let (_, [rise]) = window.risen(Instant::from_nanos(20_000_000_000), [0]).expect("points");
        assert_eq!(rise, 0.0, "it began anew");
    }
}
