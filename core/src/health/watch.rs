//! One check: when it runs, and what its results come to.

use core::time::Duration;

use super::verdict::{Kind, Reason};
use crate::Instant;
use crate::fields::Checks;
use crate::options::{Problem, Rule};
use crate::time::nanos;

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

/// What becomes of a run whose time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It has ended, or failed before.
    Ignored,
    /// It has failed, and is still under way.
    Failed,
    /// It is given so much more: this was said so late that its answer may lie there unread.
    Wait(Duration),
}

/// How late, in nanoseconds, is much too late.
const LATE: u64 = 100_000_000;

/// What a run is given then, in nanoseconds.
const MORE: u64 = 250_000_000;

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
        checks.finish(config)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> WatchConfig {
        let default =
            WatchConfig::new(Kind::from_code(self.kind.unwrap_or(Kind::Readiness as u32)));
        let timeout = checks.millis_or("timeoutMs", self.timeout_ms, default.timeout);
        let interval = checks.millis_or("intervalMs", self.interval_ms, default.interval);
        let max_age = match (default.kind, interval >= LONGEST) {
            (Kind::Liveness, _) => NEVER,
            (_, true) => Duration::from_secs(10),
            (_, false) => interval.saturating_mul(3).saturating_add(timeout),
        };
        let config = WatchConfig {
            kind: default.kind,
            timeout,
            interval,
            max_age: checks.millis_or("maxAgeMs", self.max_age_ms, max_age),
            failures: checks.count("failures", self.failures, default.failures),
            successes: checks.count("successes", self.successes, default.successes),
            abandon: checks.millis_or("abandonMs", self.abandon_ms, default.abandon.max(timeout)),
        };
        config.check(checks);
        config
    }
}

#[cfg_attr(target_family = "wasm", inline(never))]
const fn later(time: Instant, nanos: u64) -> Instant {
    Instant::from_nanos(time.as_nanos().saturating_add(nanos))
}

/// A check and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    kind: Kind,
    timeout: u64,
    interval: u64,
    max_age: u64,
    abandon: u64,
    failures: u32,
    successes: u32,
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
    /// The run under way was given more time already.
    extended: bool,
    given_up: u32,
    due: Instant,
    done: bool,
}

impl Watch {
    /// A check without a result, to be run at once. Its runs have numbers beyond `run`.
    pub(super) fn new(config: WatchConfig, now: Instant, run: u32) -> Self {
        Self {
            kind: config.kind,
            timeout: nanos(config.timeout),
            interval: nanos(config.interval),
            max_age: nanos(config.max_age),
            abandon: nanos(config.abandon),
            failures: config.failures,
            successes: config.successes,
            // Nobody is killed for want of a first result.
            passing: matches!(config.kind, Kind::Liveness),
            since: now,
            heard: now,
            has_result: false,
            against: 0,
            run,
            began: None,
            hangs: false,
            extended: false,
            given_up: 0,
            due: now,
            done: false,
        }
    }

    /// The number of its last run, if there was one.
    pub(super) const fn last_run(&self) -> u32 {
        self.run
    }

    /// Which question it counts for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How long a run may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_nanos(self.timeout)
    }

    /// Why it counts as it does at `now`; [`Reason::Passing`] where it counts as good.
    #[must_use]
    #[cfg_attr(target_family = "wasm", inline(never))]
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
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn until(&self) -> Instant {
        match self.done {
            true => Instant::from_nanos(u64::MAX),
            false => later(self.heard, self.max_age),
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
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn begin(&mut self, now: Instant) -> Option<u32> {
        // One that is under way has the time of its successor already.
        if self.began.is_some() && !self.hangs && self.due > now {
            return None;
        }
        self.due = later(now, self.interval);
        if let Some(began) = self.began {
            if !self.hangs {
                return None;
            }
            let patience = self.abandon.saturating_mul(1_u64.wrapping_shl(self.given_up));
            if now < later(began, patience) {
                self.judge(false, now);
                return None;
            }
            self.given_up = self.given_up.saturating_add(1).min(MOST_DOUBLINGS);
        }
        self.began = Some(now);
        self.hangs = false;
        self.extended = false;
        // Never zero, and exact as a number of JavaScript.
        self.run = self.run.wrapping_add(1).max(1);
        Some(self.run)
    }

    /// The time of this run is up. Whoever says so much too late was blocked, and may have the
    /// answer lying there unread: that run is given a little more, once.
    pub(super) fn expire(&mut self, run: u32, now: Instant) -> Expiry {
        let began = match self.began {
            Some(began) if run == self.run && !self.hangs => began,
            _ => return Expiry::Ignored,
        };
        let late = now.as_nanos().saturating_sub(later(began, self.timeout).as_nanos());
        if late > LATE && !self.extended {
            self.extended = true;
            return Expiry::Wait(Duration::from_nanos(self.timeout.min(MORE)));
        }
        self.hangs = true;
        self.judge(false, now);
        Expiry::Failed
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

    #[cfg_attr(target_family = "wasm", inline(never))]
    fn judge(&mut self, passed: bool, now: Instant) {
        // A failure after a result that had become too old is not better than no result.
        if self.passing && !passed && self.has_result && now >= self.until() {
            self.against = self.failures;
        }
        self.heard = now;
        self.has_result = true;
        if passed == self.passing {
            self.against = 0;
            return;
        }
        self.against = self.against.saturating_add(1);
        let needed = if passed { self.successes } else { self.failures };
        if self.against >= needed {
            self.passing = passed;
            self.since = now;
            self.against = 0;
            self.done = passed && matches!(self.kind, Kind::Startup);
        }
    }
}
