//! All checks of a service, and the answers they add up to.

use alloc::vec::Vec;

use super::verdict::{Kind, Reason, Verdict};
use super::watch::{Expiry, Watch, WatchConfig};
use crate::Instant;
use crate::fields::Checks;
use crate::options::Problem;

const END: Instant = Instant::from_nanos(u64::MAX);

/// One run of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The check.
    pub check: u32,
    /// Which of its runs.
    pub run: u32,
}

const RUNS: f64 = 4_294_967_296.0;

impl Run {
    /// It as one number, exact for the first two million checks.
    #[must_use]
    pub fn to_code(self) -> f64 {
        f64::from(self.check) * RUNS + f64::from(self.run)
    }

    /// What [`Run::to_code`] made.
    #[must_use]
    pub const fn from_code(code: f64) -> Self {
        let code = code as u64;
        Self { check: (code >> 32) as u32, run: code as u32 }
    }
}

/// The checks of a service. See the [module](super).
///
/// A check is a number given by [`HealthSet::add`]. Who runs it calls [`HealthSet::begin`],
/// [`HealthSet::expire`] when the time of the run is up, and [`HealthSet::settle`] when it has
/// ended, late or not.
#[derive(Debug, Clone)]
pub struct HealthSet {
    watches: Vec<Option<Watch>>,
    /// The last run of a check that was removed. Those of who gets its number are others.
    runs: u32,
    unrecoverable: Option<Instant>,
    draining: Option<Instant>,
    /// Since when each kind has passed, as of the last change.
    passing_since: [Option<Instant>; 3],
}

impl HealthSet {
    /// No checks: everything passes.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            watches: Vec::new(),
            runs: 0,
            unrecoverable: None,
            draining: None,
            passing_since: [Some(now); 3],
        }
    }

    /// Adds a check and answers its number. Numbers of removed checks are given again.
    ///
    /// # Errors
    ///
    /// What is out of range in `config`.
    pub fn add(&mut self, config: WatchConfig, now: Instant) -> Result<u32, Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(())?;
        Ok(self.insert(config, now))
    }

    /// The same for a configuration that was checked.
    #[doc(hidden)]
    pub fn insert(&mut self, config: WatchConfig, now: Instant) -> u32 {
        let free = self.watches.iter().position(Option::is_none);
        let id = free.unwrap_or(self.watches.len());
        if free.is_none() {
            self.watches.push(None);
        }
        if let Some(place) = self.watches.get_mut(id) {
            *place = Some(Watch::new(config, now, self.runs));
        }
        self.note(now);
        id as u32
    }

    /// Takes a check out; what it still answers is ignored.
    pub fn remove(&mut self, id: u32, now: Instant) {
        if let Some(watch) = self.watches.get_mut(id as usize).and_then(Option::take) {
            self.runs = self.runs.max(watch.last_run());
        }
        self.note(now);
    }

    /// The check of that number.
    #[must_use]
    pub fn watch(&self, id: u32) -> Option<&Watch> {
        self.watches.get(id as usize)?.as_ref()
    }

    /// Each check and its number.
    pub fn watches(&self) -> impl Iterator<Item = (u32, &Watch)> {
        (0_u32..).zip(&self.watches).filter_map(|(id, watch)| Some((id, watch.as_ref()?)))
    }

    /// When the next check wants to run; `None` where none does by itself.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.watches().filter_map(|(_, watch)| watch.due()).min()
    }

    /// Begins a run of a check that is due at `now`. To be called until there is none.
    pub fn take(&mut self, now: Instant) -> Option<Run> {
        loop {
            let is_due = |watch: &Watch| watch.due().is_some_and(|due| due <= now);
            let id = self.watches().find(|(_, watch)| is_due(watch))?.0;
            let due = self.watch(id)?.due();
            let run = self.begin(id, now);
            // An interval of nothing at the end of time would be due for ever.
            if run.is_some() || self.watch(id)?.due() == due {
                return run;
            }
        }
    }

    /// Begins a run of a check. `None` while a run is under way, and for a
    /// start-up check that has passed. Asked again while a run hangs, that counts as another
    /// failure.
    pub fn begin(&mut self, id: u32, now: Instant) -> Option<Run> {
        let watch = self.watches.get_mut(id as usize)?.as_mut()?;
        if watch.is_done() {
            return None;
        }
        let run = watch.begin(now);
        self.note(now);
        Some(Run { check: id, run: run? })
    }

    /// Begins a run if the last result is missing or too old.
    pub fn refresh(&mut self, id: u32, now: Instant) -> Option<Run> {
        if self.watch(id)?.is_old(now) { self.begin(id, now) } else { None }
    }

    /// Begins a run if the last result is missing or too old, or its interval is over; for who
    /// can run checks only when asked for them.
    pub fn begin_due(&mut self, id: u32, now: Instant) -> Option<Run> {
        let watch = self.watch(id)?;
        let is_due = watch.is_old(now) || watch.due().is_some_and(|due| due <= now);
        if is_due { self.begin(id, now) } else { None }
    }

    /// The time of a run is up.
    pub fn expire(&mut self, run: Run, now: Instant) -> Expiry {
        let watch = self.watches.get_mut(run.check as usize).and_then(Option::as_mut);
        let expiry = watch.map_or(Expiry::Ignored, |watch| watch.expire(run.run, now));
        self.note(now);
        expiry
    }

    /// A run has ended. Whether its result counts; it does not where its time was up before.
    pub fn settle(&mut self, run: Run, passed: bool, now: Instant) -> bool {
        let watch = self.watches.get_mut(run.check as usize).and_then(Option::as_mut);
        let counts = watch.is_some_and(|watch| watch.settle(run.run, passed, now));
        self.note(now);
        counts
    }

    /// Whether no more work is wanted: readiness fails, and nothing else.
    pub fn set_draining(&mut self, draining: bool, now: Instant) {
        self.draining = draining.then_some(self.draining.unwrap_or(now));
        self.note(now);
    }

    /// Whether this process cannot recover: every question is answered with no.
    pub fn set_unrecoverable(&mut self, unrecoverable: bool, now: Instant) {
        self.unrecoverable = unrecoverable.then_some(self.unrecoverable.unwrap_or(now));
        self.note(now);
    }

    /// The answer to one question.
    #[must_use]
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn verdict(&self, kind: Kind, now: Instant) -> Verdict {
        let failing = |reason, check, since| Verdict {
            passing: false,
            reason,
            check,
            since,
            until: END,
            ages: None,
        };
        if let Some(since) = self.unrecoverable {
            return failing(Reason::Unrecoverable, None, since);
        }
        if let (Kind::Readiness, Some(since)) = (kind, self.draining) {
            return failing(Reason::Draining, None, since);
        }
        let starting = self
            .watches()
            .find(|(_, watch)| matches!(watch.kind(), Kind::Startup) && !watch.is_done());
        let mut until = END;
        let mut ages = None;
        match (kind, starting) {
            (Kind::Startup, Some((id, watch))) => {
                let reason = watch.reason(now);
                return failing(reason, Some(id), watch.since(now));
            }
            (Kind::Readiness, Some((id, watch))) => {
                return failing(Reason::Starting, Some(id), watch.since(now));
            }
            // Whoever asks whether it lives while it comes up is not told of what comes later.
            (Kind::Startup, None) | (Kind::Liveness, Some(_)) => {}
            (Kind::Readiness | Kind::Liveness, None) => {
                for (id, watch) in self.watches().filter(|(_, watch)| counts(watch, kind)) {
                    let reason = watch.reason(now);
                    if !matches!(reason, Reason::Passing) {
                        return failing(reason, Some(id), watch.since(now));
                    }
                    if watch.until() < until {
                        until = watch.until();
                        ages = Some(id);
                    }
                }
            }
        }
        let since = self.passing_since.get(kind as usize).copied().flatten().unwrap_or(now);
        Verdict { passing: true, reason: Reason::Passing, check: None, since, until, ages }
    }

    /// Passes or not, the number of the [`Reason`], since when, when the last result came, when the
    /// run under way began (ms, NaN: none), how many results in a row speak against it, and how long
    /// a run may take in ms.
    #[doc(hidden)]
    #[must_use]
    pub fn watch_numbers(&self, id: u32, now: Instant) -> Option<[f64; 7]> {
        let watch = self.watch(id)?;
        let reason = watch.reason(now);
        let millis = |time: Option<Instant>| time.map_or(f64::NAN, Instant::as_millis);
        Some([
            f64::from(u8::from(matches!(reason, Reason::Passing))),
            f64::from(reason as u8),
            watch.since(now).as_millis(),
            millis(watch.heard()),
            millis(watch.began()),
            f64::from(watch.against()),
            Instant::ZERO.after(watch.timeout()).as_millis(),
        ])
    }

    /// Notes since when each kind has passed.
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn note(&mut self, now: Instant) {
        for kind in Kind::ALL {
            let passing = self.verdict(kind, now).passing;
            if let Some(since) = self.passing_since.get_mut(kind as usize) {
                *since = if passing { since.or(Some(now)) } else { None };
            }
        }
    }
}

/// A check of liveness counts for readiness too: nobody sends work to what is about to be restarted.
fn counts(watch: &Watch, kind: Kind) -> bool {
    match watch.kind() {
        Kind::Liveness => true,
        Kind::Readiness => matches!(kind, Kind::Readiness),
        Kind::Startup => false,
    }
}
