//! The state of a breaker outside of it.

use alloc::vec::Vec;
use core::time::Duration;

use super::machine::{Machine, Phase, Step};
use super::trip::Tracker;
use super::window::Counts;
use crate::numbers::{put_count, put_time};
use crate::options::{Problem, Rule};
use crate::time::{Instant, duration_from_millis, millis, nanos_from_millis};

/// The version [`Machine::snapshot`] writes and [`Machine::restore`] reads.
pub const SNAPSHOT_VERSION: u32 = 1;

/// The state of a breaker, in ages instead of times, so that it may be restored in another
/// process, on another clock.
///
/// A trial is saved as an opening that is over: the first call after a restore probes. A step of
/// a gradual re-close keeps its time and begins its results anew. Isolations belong to whoever
/// holds them and are not saved, nor are totals and causes.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Snapshot {
    /// [`SNAPSHOT_VERSION`].
    pub version: u32,
    /// 0 closed, 1 open, 3 recovering.
    pub state: u32,
    /// How long it has been in this state, in ms.
    pub since_ms: f64,
    /// For how long it goes on being open, in ms.
    pub left_ms: f64,
    /// How long this opening was to last in all, in ms.
    pub open_for_ms: f64,
    /// Openings since it was last closed for good.
    pub openings: u32,
    /// The step of a gradual re-close.
    pub step: u32,
    /// How long ago the last failure was that counted, in ms; -1 for none.
    pub last_failure_ms: f64,
    /// The wall clock at that failure.
    pub last_failure_wall_ms: f64,
    /// Which rule `memory` belongs to: 0 consecutive, 1 failures within a time, 2 the last
    /// calls, 3 a time window. Memory of another rule is left out at a restore.
    pub rule: u32,
    /// What the rule remembers. Consecutive: the streak. Failures: the age of each in ms, oldest
    /// first. Last calls: 1 for failed plus 2 for slow, oldest first. Time window: the length of
    /// a slice and the age of the newest in ms, then calls, failures and slow of each slice,
    /// newest first.
    pub memory: Vec<f64>,
}

impl Machine {
    /// The state at `now`.
    #[must_use]
    pub fn snapshot(&mut self, now: Instant) -> Snapshot {
        let now = self.line.read(now);
        if self.is_closed() {
            self.tracker.advance(&self.config.trip, now);
        }
        let (state, left, step) = match &self.phase {
            Phase::Closed => (0, Duration::ZERO, 0),
            Phase::Open { until } => (1, until.since(now), 0),
            Phase::HalfOpen(_) => (1, Duration::ZERO, 0),
            Phase::Recovering(step) => (3, Duration::ZERO, u32::from(step.index)),
        };
        let (rule, memory) = self.tracker.to_numbers(now);
        let history = self.history();
        Snapshot {
            version: SNAPSHOT_VERSION,
            state,
            since_ms: millis(now.since(self.since)),
            left_ms: millis(left),
            open_for_ms: millis(history.open_for),
            openings: history.openings,
            step,
            last_failure_ms: history.last_failure.map_or(-1.0, |(at, _)| millis(now.since(at))),
            last_failure_wall_ms: history.last_failure.map_or(0.0, |(_, wall_ms)| wall_ms),
            rule,
            memory,
        }
    }

    /// Takes the state of `snapshot` as if it had been taken at `now`.
    ///
    /// # Errors
    /// A [`Problem`] with `snapshot.version` or `snapshot.state` if this version cannot read it;
    /// the breaker is unchanged then.
    pub fn restore(&mut self, snapshot: &Snapshot, now: Instant) -> Result<(), Problem> {
        if snapshot.version != SNAPSHOT_VERSION {
            return Err(Problem::new("snapshot.version", Rule::OneOf));
        }
        let step = u16::try_from(snapshot.step).unwrap_or(u16::MAX);
        let steps = self.config.reclose.as_ref().map_or(0, |reclose| reclose.shares.len());
        if ![0, 1, 3].contains(&snapshot.state) {
            return Err(Problem::new("snapshot.state", Rule::OneOf));
        }
        let now = self.line.read(now);
        let now = self.make_room(snapshot, now);
        let phase = match snapshot.state {
            1 => Phase::Open { until: now.after(duration_from_millis(snapshot.left_ms)) },
            3 if usize::from(step) < steps => {
                Phase::Recovering(Step { index: step, successes: 0, failures: 0 })
            }
            _ => Phase::Closed,
        };
        self.enter(phase, now);
        self.since = before(now, snapshot.since_ms);
        let history = self.history_mut();
        history.open_for = duration_from_millis(snapshot.open_for_ms);
        history.openings = snapshot.openings;
        history.last_failure = (snapshot.last_failure_ms >= 0.0)
            .then(|| (before(now, snapshot.last_failure_ms), snapshot.last_failure_wall_ms));
        history.causes.clear();
        self.tracker.clear();
        self.tracker.restore(snapshot.rule, &snapshot.memory, now);
        Ok(())
    }

    /// Moves the breaker's time to where every age of `snapshot` has its place on it. The clock of
    /// a process that has just begun would have none for what happened before, and its slices
    /// would begin at other points.
    fn make_room(&mut self, snapshot: &Snapshot, now: Instant) -> Instant {
        let ages: &[f64] = if snapshot.rule == 1 { &snapshot.memory } else { &[] };
        let ages = ages.iter().chain([&snapshot.since_ms, &snapshot.last_failure_ms]);
        let oldest = ages.fold(0.0, |oldest: f64, &age| oldest.max(age));
        let mut time = now.as_nanos().max(nanos_from_millis(oldest).min(MOST_ROOM));
        if let (3, Tracker::Time(window), [_, age, ..]) =
            (snapshot.rule, &self.tracker, &*snapshot.memory)
        {
            let slice = window.slice_nanos();
            let into = |nanos: u64| nanos.checked_rem(slice).unwrap_or(0);
            let ahead = into(nanos_from_millis(*age)).saturating_add(slice);
            time = time.saturating_add(into(ahead.saturating_sub(into(time))));
        }
        self.line.move_to(Instant::from_nanos(time));
        self.line.now()
    }
}

/// Ages of more than a hundred years come from no breaker.
const MOST_ROOM: u64 = 100 * 365 * 86_400 * 1_000_000_000;

#[cfg_attr(target_family = "wasm", inline(never))]
fn before(now: Instant, ms: f64) -> Instant {
    Instant::from_nanos(now.as_nanos().saturating_sub(nanos_from_millis(ms)))
}

impl Tracker {
    pub(super) fn to_numbers(&self, now: Instant) -> (u32, Vec<f64>) {
        let mut numbers = Vec::new();
        let rule = match self {
            Self::Consecutive { streak } => {
                put_count(&mut numbers, *streak);
                0
            }
            Self::Failures(failures) => {
                for &at in failures.times.as_slice() {
                    put_time(&mut numbers, Some(now.since(at)));
                }
                1
            }
            Self::Count(window) => {
                for (failed, slow) in window.oldest_first() {
                    put_count(&mut numbers, u32::from(failed) | (u32::from(slow) << 1));
                }
                2
            }
            Self::Time(window) => {
                let slice = crate::time::duration(window.slice_nanos());
                let age = window.slice().map_or(Duration::ZERO, |(start, _)| now.since(start));
                put_time(&mut numbers, Some(slice));
                put_time(&mut numbers, Some(age));
                for Counts { calls, failures, slow } in window.newest_first() {
                    put_count(&mut numbers, calls);
                    put_count(&mut numbers, failures);
                    put_count(&mut numbers, slow);
                }
                3
            }
        };
        (rule, numbers)
    }

    pub(super) fn restore(&mut self, rule: u32, memory: &[f64], now: Instant) {
        match (self, rule) {
            (Self::Consecutive { streak }, 0) => {
                *streak = memory.first().map_or(0, |&streak| streak as u32);
            }
            (Self::Failures(failures), 1) => {
                for &age in memory {
                    failures.push(before(now, age));
                }
            }
            (Self::Count(window), 2) => {
                for &call in memory {
                    let call = call as u8;
                    window.push(call & 1 != 0, call & 2 != 0);
                }
            }
            (Self::Time(window), 3) => {
                let mut numbers = memory.iter().copied();
                let slice = numbers.next().unwrap_or(0.0);
                if nanos_from_millis(slice) != window.slice_nanos() {
                    return;
                }
                let age = nanos_from_millis(numbers.next().unwrap_or(0.0));
                let ago = age.checked_div(window.slice_nanos()).unwrap_or(0);
                let rest: Vec<f64> = numbers.collect();
                let slices = rest.chunks_exact(3).map(|slice| match *slice {
                    [calls, failures, slow] => {
                        Counts { calls: calls as u32, failures: failures as u32, slow: slow as u32 }
                    }
                    _ => Counts::default(),
                });
                window.restore(now, ago, slices);
            }
            _ => {}
        }
    }
}
