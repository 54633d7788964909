//! One check: when it runs, and what its results come to.

use core::time::Duration;

use super::verdict::{Kind, Reason};
use crate::Instant;
use crate::fields::Checks;
use crate::options::{Problem, Rule};

const NEVER: Duration = Duration::MAX;

/// How often the time until a hanging run is given up doubles at most.
const MOST_DOUBLINGS: u32 = 6;

/// What a [`Watch`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchConfig {
    /// Which question it counts for. A liveness check counts for readiness too. A start-up check
    /// that has passed is not run again.
    pub kind: Kind,
    /// How long a run may take before it has failed; above zero. Default 5 s.
    pub timeout: Duration,
    /// From the start of one run to that of the next; above zero, [`Duration::MAX`]: only when
    /// asked for. Default 10 s.
    pub interval: Duration,
    /// How old the last result may be; above zero, [`Duration::MAX`]: any age. Default three
    /// intervals and the timeout, 10 s where there is no interval; any age for a liveness check,
    /// since whoever restarts a service for want of news restarts all of them in the hour of
    /// their highest load.
    pub max_age: Duration,
    /// How many runs in a row must fail before a check that passes fails. Default 1, for a
    /// liveness check 3. Zero is 1.
    pub failures: u32,
    /// How many runs in a row must succeed before a check that fails passes. Default 1. Zero is 1.
    pub successes: u32,
    /// How long a run may hang before another is begun beside it; twice as long after each that was
    /// given up, up to 64 times. [`Duration::MAX`]: never. Default 60 s, so that neither a lost
    /// answer locks a service out for ever nor hanging runs take all connections there are.
    pub abandon: Duration,
}

impl WatchConfig {
    /// The defaults for a check of this kind.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        let (max_age, failures) = match kind {
            Kind::Liveness => (NEVER, 3),
            Kind::Readiness | Kind::Startup => (Duration::from_secs(35), 1),
        };
        Self {
            kind,
            timeout: Duration::from_secs(5),
            interval: Duration::from_secs(10),
            max_age,
            failures,
            successes: 1,
            abandon: Duration::from_secs(60),
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.above_zero("timeoutMs", self.timeout);
        checks.above_zero("intervalMs", self.interval);
        checks.above_zero("maxAgeMs", self.max_age);
        checks.between(self.abandon >= self.timeout, "abandonMs", Rule::NotBelow, "timeoutMs");
    }
}

/// A check in plain values; what is left out has the default of [`WatchConfig::new`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct WatchOptions {
    /// The number of a [`Kind`]. Default readiness.
    pub kind: Option<u32>,
    /// [`WatchConfig::timeout`] in ms; above 0.
    pub timeout_ms: Option<f64>,
    /// [`WatchConfig::interval`] in ms; above 0, infinity: only when asked for.
    pub interval_ms: Option<f64>,
    /// [`WatchConfig::max_age`] in ms; above 0, infinity: any age.
    pub max_age_ms: Option<f64>,
    /// [`WatchConfig::failures`], at least 1.
    pub failures: Option<f64>,
    /// [`WatchConfig::successes`], at least 1.
    pub successes: Option<f64>,
    /// [`WatchConfig::abandon`] in ms; at least `timeout_ms`, infinity: never.
    pub abandon_ms: Option<f64>,
}

/// What an endless number of milliseconds becomes.
const LONGEST: Duration = Duration::from_nanos(u64::MAX);

impl WatchOptions {
    /// The check they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn into_config(self) -> Result<WatchConfig, Problem> {
        let mut checks = Checks::new();
        let config = self.make(&mut checks);
        config.check(&mut checks);
        checks.finish(config)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> WatchConfig {
        let default =
            WatchConfig::new(Kind::from_code(self.kind.unwrap_or(Kind::Readiness as u32)));
        let timeout = checks.positive("timeoutMs", self.timeout_ms, default.timeout);
        let interval = checks.positive("intervalMs", self.interval_ms, default.interval);
        let max_age = match (default.kind, interval >= LONGEST) {
            (Kind::Liveness, _) => NEVER,
            (_, true) => Duration::from_secs(10),
            (_, false) => interval.saturating_mul(3).saturating_add(timeout),
        };
        WatchConfig {
            kind: default.kind,
            timeout,
            interval,
            max_age: checks.positive("maxAgeMs", self.max_age_ms, max_age),
            failures: checks.count("failures", self.failures, default.failures),
            successes: checks.count("successes", self.successes, default.successes),
            abandon: checks.positive("abandonMs", self.abandon_ms, default.abandon.max(timeout)),
        }
    }
}

/// A check and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    config: WatchConfig,
    passing: bool,
    since: Instant,
    /// When the last result came; before the first, when the check was added.
    heard: Instant,
    has_result: bool,
    /// Results in a row that speak against `passing`.
    against: u32,
    run: u32,
    began: Option<Instant>,
    /// The run under way has failed for its time and is still under way.
    hangs: bool,
    given_up: u32,
    due: Instant,
    done: bool,
}

impl Watch {
    /// A check without a result, to be run at once.
    pub(super) fn new(config: WatchConfig, now: Instant) -> Self {
        Self {
            config,
            // Nobody is killed for want of a first result.
            passing: matches!(config.kind, Kind::Liveness),
            since: now,
            heard: now,
            has_result: false,
            against: 0,
            run: 0,
            began: None,
            hangs: false,
            given_up: 0,
            due: now,
            done: false,
        }
    }

    /// What it is made of.
    #[must_use]
    pub const fn config(&self) -> &WatchConfig {
        &self.config
    }

    /// Why it counts as it does at `now`; [`Reason::Passing`] where it counts as good.
    #[must_use]
    pub fn reason(&self, now: Instant) -> Reason {
        match () {
            () if self.done => Reason::Passing,
            () if self.passing && now >= self.until() => Reason::Stale,
            () if self.passing => Reason::Passing,
            () if self.hangs => Reason::Hanging,
            () if self.has_result => Reason::Failing,
            () => Reason::Pending,
        }
    }

    /// Since when [`Watch::reason`] has been what it is at `now`: good, not good, or too old.
    #[must_use]
    pub fn since(&self, now: Instant) -> Instant {
        match self.reason(now) {
            Reason::Stale => self.until(),
            _ => self.since,
        }
    }

    /// When the last result came; `None` before the first.
    #[must_use]
    pub const fn heard(&self) -> Option<Instant> {
        if self.has_result { Some(self.heard) } else { None }
    }

    /// When the run under way began; `None` where there is none.
    #[must_use]
    pub const fn began(&self) -> Option<Instant> {
        self.began
    }

    /// How many runs in a row had a result against what it counts as.
    #[must_use]
    pub const fn against(&self) -> u32 {
        self.against
    }

    /// Until when it counts as good without another result.
    #[must_use]
    pub fn until(&self) -> Instant {
        match self.done {
            true => Instant::from_nanos(u64::MAX),
            false => self.heard.after(self.config.max_age),
        }
    }

    /// When it wants to run next; `None` where only if asked for.
    pub(super) fn due(&self) -> Option<Instant> {
        let never = self.done || self.due.as_nanos() == u64::MAX;
        (!never).then_some(self.due)
    }

    /// Whether its last result is to be asked for anew: there is none, or it is too old.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        !self.done && (!self.has_result || now >= self.until())
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Begins a run and answers its number; `None` while one is under way.
    pub(super) fn begin(&mut self, now: Instant) -> Option<u32> {
        self.due = now.after(self.config.interval);
        if let Some(began) = self.began {
            if !self.hangs {
                return None;
            }
            let factor = 1_u32.wrapping_shl(self.given_up);
            if now < began.after(self.config.abandon.saturating_mul(factor)) {
                self.judge(false, now);
                return None;
            }
            self.given_up = self.given_up.saturating_add(1).min(MOST_DOUBLINGS);
        }
        self.began = Some(now);
        self.hangs = false;
        // Never zero, and exact as a number of JavaScript.
        self.run = self.run.wrapping_add(1).max(1);
        Some(self.run)
    }

    /// The time of this run is up.
    pub(super) fn expire(&mut self, run: u32, now: Instant) -> bool {
        let counts = self.is_under_way(run) && !self.hangs;
        if counts {
            self.hangs = true;
            self.judge(false, now);
        }
        counts
    }

    /// This run has come to its end; whether its result counts.
    pub(super) fn settle(&mut self, run: u32, passed: bool, now: Instant) -> bool {
        if !self.is_under_way(run) {
            return false;
        }
        let late = self.hangs;
        self.began = None;
        self.hangs = false;
        self.given_up = 0;
        if !late {
            self.judge(passed, now);
        }
        !late
    }

    const fn is_under_way(&self, run: u32) -> bool {
        self.began.is_some() && run == self.run
    }

    fn judge(&mut self, passed: bool, now: Instant) {
        // A failure after a result that had become too old is not better than no result.
        if self.passing && !passed && self.has_result && now >= self.until() {
            self.against = self.config.failures;
        }
        self.heard = now;
        self.has_result = true;
        if passed == self.passing {
            self.against = 0;
            return;
        }
        self.against = self.against.saturating_add(1);
        let needed = if passed { self.config.successes } else { self.config.failures };
        if self.against >= needed {
            self.passing = passed;
            self.since = now;
            self.against = 0;
            self.done = passed && matches!(self.config.kind, Kind::Startup);
        }
    }
}
