//! A judge that many may use at once, and whose decisions are read without asking it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::answer::Answer;
use super::board::{self, Board};
use super::config::PressureConfig;
use super::explain::Explanation;
use super::judge::{CLASSES, CRITICAL, Judge, MAINTENANCE};
use super::level::Level;
use super::signals::{Signal, Signals};
use crate::limit::priority::{Ask, CLASS_LEVELS, Priority};
use crate::options::Problem;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::time::Instant;

/// How many times less often a connection is closed after a refusal than after an answer.
const CLOSE_REFUSED: f64 = 1024.0;

/// What maintenance adds to [`board::MODE`].
const MAINTAINED: f64 = 2.0;

/// The classes in the order of their counts.
const PRIORITIES: [Priority; CLASSES] =
    [Priority::VeryLow, Priority::Low, Priority::Medium, Priority::High, Priority::VeryHigh];

/// A judge, and how many of the requests refused without asking it knows of, by class.
#[derive(Debug)]
struct Told {
    judge: Judge,
    refused: [u32; CLASSES],
}

/// A shared [`Judge`] with a [`Board`].
///
/// ```
/// use std::sync::Arc;
/// use seawall::Instant;
/// use seawall::limit::priority::{Ask, Priority};
/// use seawall::pressure::{Monitor, PressureConfig, Signal, Signals};
///
/// let monitor = Arc::new(Monitor::new(PressureConfig::default(), 1)?);
/// let sampler = Arc::clone(&monitor);
/// std::thread::spawn(move || {
///     let mut signals = Signals::default();
///     signals.set(Signal::CpuThrottled, 0.6);
///     sampler.observe(Instant::from_millis(20.0), &signals);
/// })
/// .join()
/// .unwrap();
/// assert!(monitor.admit(&Ask::class(Priority::Low)).is_shed());
/// # Ok::<(), seawall::options::Problem>(())
/// ```
#[derive(Debug)]
pub struct Monitor {
    judge: Mutex<Told>,
    board: Arc<Board>,
}

impl Monitor {
    /// A monitor that has seen nothing, and lets everybody in.
    ///
    /// # Errors
    /// The first limit that is out of range.
    pub fn new(config: PressureConfig, seed: u64) -> Result<Self, Problem> {
        Ok(Self::of(config.checked()?, seed))
    }

    /// The monitor of a configuration that was checked.
    #[doc(hidden)]
    #[must_use]
    pub fn of(config: PressureConfig, seed: u64) -> Self {
        Self {
            judge: Mutex::new(Told { judge: Judge::of(config, seed), refused: [0; CLASSES] }),
            board: Arc::new(Board::default()),
        }
    }

    /// What it decided, for whoever wants to read it.
    #[must_use]
    pub const fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Takes what was measured. What it does not know of requests under way and waiting is taken
    /// from the board.
    pub fn observe(&self, now: Instant, signals: &Signals) {
        let mut signals = *signals;
        if signals.get(Signal::InFlight).is_none() {
            signals.set(Signal::InFlight, self.board.get(board::IN_FLIGHT));
        }
        let mut told = self.judge();
        let judge = &mut told.judge;
        let fresh = self.board.get(board::QUEUE_TAG) == f64::from(judge.sequence);
        if fresh && signals.get(Signal::Queue).is_none() {
            signals.set(Signal::Queue, self.board.get(board::QUEUE));
        }
        judge.observe(now, &signals);
        for (word, value) in (board::SIGNALS_AT..).zip(signals.0) {
            self.board.set(word, value);
        }
        for place in 0..board::RETRIES {
            let word = board::RETRY_AT.saturating_add(place);
            self.board.set(word, judge.lot(place, board::RETRIES));
        }
        self.publish(judge);
    }

    /// Whether a request is let in. Nobody need ask while [`board::THRESHOLD`] is 0.
    pub fn admit(&self, ask: &Ask<'_>) -> Answer {
        if self.board.get(board::THRESHOLD) == 0.0 {
            return Answer::Admitted;
        }
        let mut told = self.judge();
        let answer = told.judge.admit(ask);
        self.set_threshold(&told.judge);
        if matches!(answer, Answer::Shed(_)) {
            self.board.set(board::SHED, self.board.get(board::SHED) + 1.0);
        }
        answer
    }

    /// Whether everybody is refused but what is critical, so that new connections need not be looked
    /// at for long: on [`Level::Full`] and in maintenance; not so in a dry run. Less pressure may
    /// refuse the same classes where nearly all that came was critical, which is then to be let in.
    #[must_use]
    pub fn refuses_all(&self) -> bool {
        let is_full = self.board.get(board::PRESSURE) >= 1.0;
        let is_shut = is_full || self.board.get(board::MODE) >= MAINTAINED;
        is_shut && self.board.get(board::SURE) >= f64::from(CRITICAL / CLASS_LEVELS)
    }

    /// After how many seconds whoever is refused without asking is to come back, the `turn`th of them:
    /// at least one, since what refuses all will not be over at once.
    #[must_use]
    pub fn retry_after(&self, turn: usize) -> u32 {
        let place = turn.checked_rem(board::RETRIES).unwrap_or(0);
        self.board.get(board::RETRY_AT.saturating_add(place)).max(1.0) as u32
    }

    /// Counts `times` requests of unknown importance that were refused without asking.
    pub fn refused(&self, times: u32) {
        let mut told = self.judge();
        told.judge.refused(Priority::Medium, times);
        self.set_threshold(&told.judge);
        self.board.set(board::SHED, self.board.get(board::SHED) + f64::from(times));
    }

    /// Why it decides as it does.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        self.judge().judge.explain()
    }

    /// The same in numbers.
    #[doc(hidden)]
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        self.judge().judge.to_numbers()
    }

    /// Goes on by another configuration from the next observation on, level and counts staying.
    ///
    /// # Errors
    /// The first limit that is out of range; nothing has changed then.
    pub fn update(&self, config: PressureConfig) -> Result<(), Problem> {
        self.become_like(config.checked()?);
        Ok(())
    }

    /// The same with a configuration that was checked.
    #[doc(hidden)]
    pub fn become_like(&self, config: PressureConfig) {
        let mut told = self.judge();
        told.judge.become_like(config);
        self.publish(&told.judge);
    }

    /// Refuses everybody, or no longer.
    pub fn set_maintenance(&self, on: bool) {
        let mut told = self.judge();
        told.judge.set_maintenance(on);
        self.publish(&told.judge);
    }

    /// The judge, told of those who were refused without asking since it was last told.
    fn judge(&self) -> MutexGuard<'_, Told> {
        let mut told = lock(&self.judge);
        let Told { judge, refused } = &mut *told;
        for ((known, word), class) in refused.iter_mut().zip(board::REFUSED_AT..).zip(PRIORITIES) {
            let now = self.board.get(word) as u32;
            let more = now.wrapping_sub(*known);
            if more > 0 {
                *known = now;
                judge.refused(class, more);
                self.board.set(board::SHED, self.board.get(board::SHED) + f64::from(more));
            }
        }
        told
    }

    fn set_threshold(&self, judge: &Judge) {
        self.board.set(board::SURE, f64::from(judge.sure()));
        self.board.set(board::THRESHOLD, f64::from(judge.threshold()));
    }

    fn publish(&self, judge: &Judge) {
        let pressure = judge.pressure();
        let level = judge.level();
        let close = if level >= Level::Severe { pressure } else { 0.0 };
        let keep =
            if level >= Level::High { (1.0 - pressure) / (1.0 - Level::High.floor()) } else { 1.0 };
        let maintenance = judge.threshold() >= MAINTENANCE;
        let mode =
            f64::from(u8::from(judge.config.dry_run)) + if maintenance { MAINTAINED } else { 0.0 };
        for (word, number) in [
            (board::LEVEL, f64::from(level as u8)),
            (board::PRESSURE, pressure),
            (board::SIGNAL, judge.signal().map_or(-1.0, |signal| f64::from(signal as u8))),
            (board::DRAIN, judge.drain_ms),
            (board::OBSERVED, judge.observed.as_millis()),
            (board::CLOSE, close),
            (board::CLOSE_REFUSED, close / CLOSE_REFUSED),
            (board::KEEP_ALIVE, keep),
            (board::SINCE, judge.since.as_millis()),
            (board::STALLS, f64::from(judge.stalls)),
            (board::STALL, judge.stall_ms),
            (board::MODE, mode),
        ] {
            self.board.set(word, number);
        }
        self.set_threshold(judge);
        self.board.set(board::SEQUENCE, f64::from(judge.sequence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(monitor: &Monitor, ms: f64, block: f64) {
        let mut signals = Signals::default();
        signals.set(Signal::Block, block);
        monitor.observe(Instant::from_millis(ms), &signals);
    }

    #[test]
    fn all_are_refused_from_the_hard_limit_on_and_in_maintenance() -> Result<(), Problem> {
        let monitor = Monitor::new(PressureConfig::default(), 1)?;
        observe(&monitor, 0.0, 249.0);
        assert!(!monitor.refuses_all(), "some are let in");
        observe(&monitor, 20.0, 250.0);
        assert!(monitor.refuses_all());
        for ms in [40.0, 60.0] {
            observe(&monitor, ms, 0.0);
        }
        assert!(!monitor.refuses_all());
        monitor.set_maintenance(true);
        assert!(monitor.refuses_all());
        let config = PressureConfig { dry_run: true, ..PressureConfig::default() };
        let dry = Monitor::new(config, 1)?;
        observe(&dry, 0.0, 500.0);
        assert!(!dry.refuses_all(), "in a dry run nobody is");
        Ok(())
    }

    #[test]
    fn who_is_refused_unasked_is_told_when_to_come_back_and_counted() -> Result<(), Problem> {
        let monitor = Monitor::new(PressureConfig::default(), 1)?;
        observe(&monitor, 0.0, 300.0);
        assert_eq!(monitor.retry_after(0), 1, "not known, and not at once");
        observe(&monitor, 8_000.0, 8_000.0);
        let told: Vec<u32> = (0..16).map(|turn| monitor.retry_after(turn)).collect();
        assert!(told.iter().all(|seconds| (8..=16).contains(seconds)), "{told:?}");
        assert!(told.iter().any(|seconds| *seconds != told[0]), "{told:?}");
        monitor.refused(3);
        assert_eq!(monitor.board().get(board::SHED), 3.0);
        assert_eq!(monitor.explain().shed[Signal::Block as usize][Priority::Medium as usize], 3);
        Ok(())
    }
}
