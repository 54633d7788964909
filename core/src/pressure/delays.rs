//! By how much an event loop was late over the last second.
//!
//! A turn of the loop keeps every event waiting that comes meanwhile. To count turns would let
//! thousands of short ones hide a long one; so the delays are those of a timer that is due every
//! 10 ms, as `monitorEventLoopDelay` measures them, without there being one: a turn delays the timer
//! that fell due in it, and whatever time no turn took was in time. An idle loop is in time.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use core::time::Duration;

use super::signals::{Signal, Signals};
use crate::quantile::{BUCKETS, index, inside};
use crate::time::{Instant, millis};

/// How often the timer is due, in ns.
const TIMER: u64 = 10_000_000;
/// The second is kept in slices, in ns, so that it slides.
const SLICE: u64 = 100_000_000;
const SLICES: u64 = 10;
/// How often the timer is due in a second.
const TIMES: u32 = 100;

/// The turns of the last second. One thread may record while others read; what is recorded during a
/// reading may be in it or not.
#[derive(Debug)]
pub struct Delays {
    slices: [Slice; SLICES as usize],
}

#[derive(Debug)]
struct Slice {
    /// Which slice since the origin of the clock, plus 1.
    number: AtomicU64,
    longest: AtomicU64,
    /// Nanoseconds of turns that delayed something.
    taken: AtomicU64,
    counts: [AtomicU32; BUCKETS],
}

/// Delays of the last second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delayed {
    /// The median.
    pub p50: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self { slices: core::array::from_fn(|_| Slice::default()) }
    }
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            number: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            counts: core::array::from_fn(|_| AtomicU32::new(0)),
        }
    }
}

impl Delays {
    /// A turn that ended at `end` after it had kept the loop busy for so long. For one thread alone.
    pub fn record(&self, busy: Duration, end: Instant) {
        let (busy, end) = (crate::time::nanos(busy), end.as_nanos());
        let due = end.saturating_sub(busy).div_ceil(TIMER).saturating_mul(TIMER);
        if due >= end {
            return;
        }
        let number = (end / SLICE).saturating_add(1);
        let Some(slice) = self.slice(number) else { return };
        if slice.number.load(Relaxed) != number {
            slice.clear();
            slice.number.store(number, Relaxed);
        }
        let delay = end.saturating_sub(due);
        if let Some(count) = slice.counts.get(index(Duration::from_nanos(delay))) {
            // One writer: no need for what a read-modify-write costs.
            count.store(count.load(Relaxed).saturating_add(1), Relaxed);
        }
        slice.taken.store(slice.taken.load(Relaxed).saturating_add(delay), Relaxed);
        slice.longest.store(slice.longest.load(Relaxed).max(delay), Relaxed);
    }

    /// The delays of the last second, with the turn that is under way and has lasted for `block`.
    #[must_use]
    pub fn over(&self, block: Duration, now: Instant) -> Delayed {
        let last = (now.as_nanos() / SLICE).saturating_add(1);
        let fresh = |slice: &&Slice| {
            let number = slice.number.load(Relaxed);
            // The slice under way and eight whole ones: what is a second old is not told any more,
            // and whoever waits for it to be forgotten is told so twice within that second.
            number > last.saturating_sub(SLICES).saturating_add(1) && number <= last
        };
        let block = crate::time::nanos(block);
        let mut counts = [0_u32; BUCKETS];
        let (mut longest, mut taken, mut recorded) = (0, 0_u64, 0_u32);
        let mut add = |count: &mut u32, more: u32| {
            *count = count.saturating_add(more);
            recorded = recorded.saturating_add(more);
        };
        if block >= TIMER {
            longest = block;
            taken = block;
            if let Some(count) = counts.get_mut(index(Duration::from_nanos(block))) {
                add(count, 1);
            }
        }
        for slice in self.slices.iter().filter(fresh) {
            longest = longest.max(slice.longest.load(Relaxed));
            taken = taken.saturating_add(slice.taken.load(Relaxed));
            for (count, more) in counts.iter_mut().zip(&slice.counts) {
                add(count, more.load(Relaxed));
            }
        }
        if recorded == 0 {
            return Delayed::default();
        }
        let missed = u32::try_from(taken / TIMER).unwrap_or(u32::MAX);
        let in_time = TIMES.saturating_sub(recorded).saturating_sub(missed);
        let max = Duration::from_nanos(longest);
        let at = |quantile| quantile_of(&counts, recorded, in_time, quantile).min(max);
        Delayed { p50: at(0.5), p99: at(0.99), max }
    }

    fn slice(&self, number: u64) -> Option<&Slice> {
        self.slices.get(usize::try_from(number.checked_rem(SLICES)?).ok()?)
    }
}

impl Slice {
    fn clear(&self) {
        for count in &self.counts {
            count.store(0, Relaxed);
        }
        self.longest.store(0, Relaxed);
        self.taken.store(0, Relaxed);
    }
}

impl Delayed {
    /// Notes the delays among the signals.
    pub fn put(&self, signals: &mut Signals) {
        signals.set(Signal::DelayP50, millis(self.p50));
        signals.set(Signal::DelayP99, millis(self.p99));
        signals.set(Signal::DelayMax, millis(self.max));
    }
}

fn quantile_of(counts: &[u32; BUCKETS], recorded: u32, in_time: u32, quantile: f64) -> Duration {
    let rank = quantile * f64::from(recorded.saturating_add(in_time));
    let mut below = f64::from(in_time);
    if rank <= below {
        return Duration::ZERO;
    }
    for (bucket, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let here = f64::from(*count);
        if below + here >= rank {
            return inside(bucket, (rank - below) / here);
        }
        below += here;
    }
    Duration::MAX
}

/// Which part of the time an event loop works, from its clock and the time it was idle.
#[derive(Debug, Clone, Default)]
pub struct Utilization {
    /// The ends of steps, of 100 ms or longer.
    points: [(Instant, Duration); SLICES as usize],
    /// How many there have been.
    count: usize,
    smooth: f64,
}

/// After how many seconds a change has done two thirds of its work on the smoothed value.
const SMOOTH: f64 = 10.0;

impl Utilization {
    /// What the loop did in the last second, and smoothed over 10 s; not known in the first second.
    ///
    /// `idle` is the time for which the loop had waited in all.
    pub fn observe(&mut self, now: Instant, idle: Duration) -> Option<(f64, f64)> {
        let size = self.points.len();
        let place = |count: usize| count.checked_rem(size).unwrap_or(0);
        let newest = self.count.checked_sub(1).and_then(|last| self.points.get(place(last)));
        let newest = newest.copied();
        let step = newest.map(|(at, _)| now.since(at));
        if step.is_none_or(|step| crate::time::nanos(step) >= SLICE) {
            if let (Some((at, before)), Some(step)) = (newest, step) {
                let worked = worked(at, before, now, idle);
                let share = 1.0 - libm::exp(-step.as_secs_f64() / SMOOTH);
                let known = if self.count == 1 { 1.0 } else { share };
                self.smooth += (worked - self.smooth) * known;
            }
            if let Some(point) = self.points.get_mut(place(self.count)) {
                *point = (now, idle);
            }
            self.count = self.count.saturating_add(1);
        }
        let (at, before) = *self.points.get(place(self.count))?;
        let full = self.count >= size && now > at;
        full.then(|| (worked(at, before, now, idle), self.smooth))
    }
}

fn worked(from: Instant, idle_from: Duration, to: Instant, idle: Duration) -> f64 {
    let passed = to.since(from).as_secs_f64();
    (1.0 - idle.saturating_sub(idle_from).as_secs_f64() / passed).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// Within the width of a bucket.
    fn near(a: Duration, b: Duration) -> bool {
        a.abs_diff(b) <= b / 16
    }

    #[test]
    fn an_idle_loop_and_short_turns_are_in_time() {
        let delays = Delays::default();
        assert_eq!(delays.over(Duration::ZERO, at(5000)), Delayed::default());
        for turn in 0..1000 {
            delays.record(Duration::from_micros(200), at(4000 + turn));
        }
        let delayed = delays.over(Duration::from_micros(300), at(5000));
        assert!(delayed.max <= ms(1), "{delayed:?}");
    }

    #[test]
    fn one_stall_in_a_second_is_the_99th_percentile_of_it() {
        let delays = Delays::default();
        for turn in 0..4000_u64 {
            delays.record(Duration::from_micros(50), Instant::from_nanos(turn * 250_000));
        }
        delays.record(ms(300), at(1300));
        let delayed = delays.over(Duration::ZERO, at(1301));
        assert!(near(delayed.p99, ms(300)) && delayed.max == ms(300), "{delayed:?}");
        assert!(delayed.p50 < ms(1));
        assert_eq!(delays.over(Duration::ZERO, at(2199)).max, ms(300));
        assert_eq!(delays.over(Duration::ZERO, at(2300)), Delayed::default(), "a second later");
    }

    #[test]
    fn a_stall_under_way_counts() {
        let delays = Delays::default();
        let delayed = delays.over(ms(150), at(9000));
        assert!(near(delayed.p99, ms(150)) && delayed.max == ms(150), "{delayed:?}");
        let delayed = delays.over(ms(3000), at(12000));
        assert!(near(delayed.p50, ms(3000)), "{delayed:?}: there was nothing else");
    }

    #[test]
    fn steady_turns_delay_half_of_the_timers() {
        let delays = Delays::default();
        for turn in 1..=50 {
            delays.record(ms(20), at(1000 + turn * 20));
        }
        let delayed = delays.over(Duration::ZERO, at(2000));
        assert!((ms(15)..=ms(21)).contains(&delayed.p50), "{delayed:?}");
    }

    #[test]
    fn work_is_the_part_of_the_last_second_that_was_not_idle() {
        let mut loop_ = Utilization::default();
        let mut idle = Duration::ZERO;
        let mut known = None;
        for tick in 0..1000_u64 {
            // 10 s idle, then busy.
            if tick < 500 {
                idle += ms(20);
            }
            let answer = loop_.observe(at(tick * 20), idle);
            assert_eq!(answer.is_some(), tick >= 45, "{tick}");
            if tick == 499 {
                assert_eq!(answer, Some((0.0, 0.0)));
            }
            if tick == 550 {
                assert!(answer.is_some_and(|(now, _)| now > 0.99), "{answer:?} after a second");
            }
            known = answer;
        }
        let (now, smooth) = known.expect("known");
        assert!(now == 1.0 && (0.6..0.66).contains(&smooth), "{smooth}: 1 - 1/e");
    }
}
