//! The way of a process from a signal to its end, on time.
//!
//! **Why.** Kubernetes takes a pod out of its endpoints at the same time as it
//! signals it, so requests still arrive for some seconds; and after the grace
//! period it kills whatever is left. In between there has to be room for the
//! wait, for the requests under way and for what closes databases. Each of
//! these with a limit of its own adds up to more than the whole, and then the
//! last limits never come to pass.
//!
//! Here is one deadline, and every step is measured by what is left until it:
//!
//! | phase | from | to |
//! |---|---|---|
//! | [`Running`](Phase::Running) | the start | [`begin`](Lifecycle::begin), or the first signal |
//! | [`NotReady`](Phase::NotReady) | that | the drain delay is over; requests are served all the while |
//! | [`Draining`](Phase::Draining) | that | all requests are finished, or only the time of the hooks is left |
//! | [`Hooks`](Phase::Hooks) | that | all hooks have ended |
//! | [`Done`](Phase::Done) | that | |
//! | [`Forced`](Phase::Forced) | the deadline, whatever the phase, or a third signal | |
//!
//! ```
//! use seawall::Instant;
//! use seawall::lifecycle::{Event, Lifecycle, LifecycleConfig, Phase, Repeat};
//!
//! let at = |seconds: f64| Instant::from_millis(seconds * 1000.0);
//! let mut process = Lifecycle::new(LifecycleConfig::in_cluster())?;
//!
//! const SIGTERM: u8 = 15;
//! assert_eq!(process.signal(at(0.0), SIGTERM), Repeat::First);
//! assert_eq!(process.deadline(), Some(at(28.0)), "a grace of 30 s, less 2 s to spare");
//! assert_eq!(process.due(), Some(at(5.0)), "the endpoints have had time to change");
//! assert_eq!(process.advance(at(5.0), Event::Time), Phase::Draining);
//! assert_eq!(process.advance(at(9.0), Event::Drained), Phase::Hooks);
//! assert_eq!(process.advance(at(9.5), Event::HooksEnded), Phase::Done);
//! assert_eq!(process.exit_code(), 0);
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod budget;
mod config;
pub mod drain;
mod options;
pub mod reconnect;
mod signals;

use core::time::Duration;

pub use budget::Budget;
pub use config::LifecycleConfig;
pub use options::LifecycleOptions;
pub use signals::Repeat;

use crate::Instant;
use crate::fields::Checks;
use crate::options::Problem;
use crate::time::{duration, millis, nanos};
use signals::Signals;

/// How far a process is on its way to the end; it never goes back.
///
/// The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Nothing has asked it to end.
    Running = 0,
    /// It says that it is not ready, and serves what comes all the same.
    NotReady = 1,
    /// It listens no more and finishes what is under way.
    Draining = 2,
    /// It closes what it has open, databases among them.
    Hooks = 3,
    /// All is done.
    Done = 4,
    /// The deadline has come first.
    Forced = 5,
}

/// Why a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// It was asked to.
    Asked = 0,
    /// Something failed that nobody caught; the exit code is 1.
    Failure = 1,
    /// It could not begin to serve, so that nobody waits for it: without the drain delay. The exit
    /// code is 1.
    NeverServed = 2,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// Nothing but that time has passed.
    Time = 0,
    /// No request is under way any more, and none can come.
    Drained = 1,
    /// The last hook has ended, or was given up.
    HooksEnded = 2,
    /// A request was cut off: the exit code is 75.
    Cut = 3,
    /// A hook failed or took too long: the exit code is 1.
    HookFailed = 4,
    /// Something failed that nobody caught: the exit code is 1.
    Failed = 5,
}

impl Event {
    /// The event of that number, [`Time`](Self::Time) for one nobody knows.
    #[must_use]
    pub const fn of(number: u32) -> Self {
        match number {
            1 => Self::Drained,
            2 => Self::HooksEnded,
            3 => Self::Cut,
            4 => Self::HookFailed,
            5 => Self::Failed,
            _ => Self::Time,
        }
    }
}

impl Cause {
    /// The cause of that number, [`Asked`](Self::Asked) for one nobody knows.
    #[must_use]
    pub const fn of(number: u32) -> Self {
        match number {
            1 => Self::Failure,
            2 => Self::NeverServed,
            _ => Self::Asked,
        }
    }
}

/// At most this much is kept free between the last hook and the deadline, for the end itself.
const TAIL: Duration = Duration::from_millis(250);
/// `EX_TEMPFAIL` of `sysexits.h`: what was cut off may be tried again.
const CUT_OFF: u8 = 75;
const FAILED: u8 = 1;

/// A process on its way from start to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lifecycle {
    config: LifecycleConfig,
    phase: Phase,
    /// What the hooks need together, as far as they said so.
    hooks: Duration,
    /// When the times below were planned.
    from: Instant,
    ready_until: Instant,
    drain_until: Instant,
    deadline: Instant,
    signals: Signals,
    failed: bool,
    cut: bool,
    hook_failed: bool,
}

impl Lifecycle {
    /// A process that runs.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn new(config: LifecycleConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        config.check(&mut checks);
        checks.finish(Self::of(config))
    }

    pub(crate) const fn of(config: LifecycleConfig) -> Self {
        Self {
            config,
            phase: Phase::Running,
            hooks: Duration::ZERO,
            from: Instant::ZERO,
            ready_until: Instant::ZERO,
            drain_until: Instant::ZERO,
            deadline: Instant::ZERO,
            signals: Signals::new(),
            failed: false,
            cut: false,
            hook_failed: false,
        }
    }

    /// What it goes by.
    #[must_use]
    pub const fn config(&self) -> &LifecycleConfig {
        &self.config
    }

    /// How far it is.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What the hooks need together, as the sum of the limits that were set for them. It is the
    /// time kept for them, if it is more than [`LifecycleConfig::hooks`].
    pub fn set_hooks(&mut self, needed: Duration) {
        self.hooks = needed;
        if self.is_under_way() && self.phase < Phase::Hooks {
            self.plan();
        }
    }

    /// Begins the end; `false` if it had begun before, which only makes a failure be remembered.
    pub fn begin(&mut self, now: Instant, cause: Cause) -> bool {
        self.failed |= cause != Cause::Asked;
        // Nobody's grace period has begun, so nothing of it is spent.
        let delay = match cause {
            Cause::NeverServed => Duration::ZERO,
            Cause::Asked | Cause::Failure => self.config.drain_delay,
        };
        self.start(now, Duration::ZERO, delay)
    }

    /// A signal came: begins the end, or hastens it.
    pub fn signal(&mut self, now: Instant, signal: u8) -> Repeat {
        let repeat = self.signals.count(now, signal, self.config.repeat_within);
        match repeat {
            Repeat::First => {
                let spent = self.config.pre_stop;
                let delay = self.config.drain_delay.saturating_sub(spent);
                self.start(now, spent, delay);
            }
            Repeat::Ignored => {}
            Repeat::Hastened => self.hasten(now, self.config.shortened),
            Repeat::Exit => {
                self.hasten(now, Duration::ZERO);
                self.force();
            }
        }
        repeat
    }

    fn start(&mut self, now: Instant, spent: Duration, delay: Duration) -> bool {
        if self.phase != Phase::Running {
            return false;
        }
        let LifecycleConfig { grace, margin, .. } = self.config;
        self.phase = Phase::NotReady;
        self.from = now;
        self.deadline = now.after(grace.saturating_sub(margin).saturating_sub(spent));
        self.ready_until = now.after(delay);
        self.plan();
        true
    }

    fn plan(&mut self) {
        self.drain_until = self.end_of_drain();
        self.ready_until = self.ready_until.min(self.drain_until);
    }

    /// All but what the hooks need, which is at most half of what was left at the time of the plan.
    fn end_of_drain(&self) -> Instant {
        let left = nanos(self.deadline.since(self.from));
        let hooks = nanos(self.hooks.max(self.config.hooks)).min(left / 2);
        let latest = self.from.after(duration(left.saturating_sub(hooks)));
        latest.min(self.ready_until.after(self.config.drain_timeout)).min(self.deadline)
    }

    fn hasten(&mut self, now: Instant, left: Duration) {
        if !self.is_under_way() {
            return;
        }
        self.from = now;
        self.deadline = self.deadline.min(now.after(left));
        self.ready_until = self.ready_until.min(now);
        self.plan();
    }

    fn force(&mut self) {
        if self.phase < Phase::Done {
            self.phase = Phase::Forced;
        }
    }

    fn is_under_way(&self) -> bool {
        self.phase > Phase::Running && self.phase < Phase::Done
    }

    /// Takes what happened, and the time, and answers the phase: the next one at most, so that
    /// none is passed over, or [`Phase::Forced`].
    pub fn advance(&mut self, now: Instant, event: Event) -> Phase {
        match event {
            Event::Cut => self.cut = true,
            Event::HookFailed => self.hook_failed = true,
            Event::Failed => self.failed = true,
            Event::Time | Event::Drained | Event::HooksEnded => {}
        }
        let next = match self.phase {
            Phase::NotReady if now >= self.ready_until => Phase::Draining,
            Phase::Draining if event == Event::Drained || now >= self.drain_until => Phase::Hooks,
            Phase::Hooks if event == Event::HooksEnded => Phase::Done,
            same => same,
        };
        if next != Phase::Done && self.is_under_way() && now >= self.deadline {
            self.force();
        } else {
            self.phase = next;
        }
        self.phase
    }

    /// When [`advance`](Self::advance) has something to say without any event; `None` if never.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        match self.phase {
            Phase::NotReady => Some(self.ready_until.min(self.deadline)),
            Phase::Draining => Some(self.drain_until.min(self.deadline)),
            Phase::Hooks => Some(self.deadline),
            Phase::Running | Phase::Done | Phase::Forced => None,
        }
    }

    /// When the process is gone; `None` while it runs.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        (self.phase != Phase::Running).then_some(self.deadline)
    }

    /// Until when new connections are taken although it is not ready; `None` while it runs.
    #[must_use]
    pub fn ready_until(&self) -> Option<Instant> {
        (self.phase != Phase::Running).then_some(self.ready_until)
    }

    /// Until when requests may finish; `None` while it runs.
    #[must_use]
    pub fn drain_until(&self) -> Option<Instant> {
        (self.phase != Phase::Running).then_some(self.drain_until)
    }

    /// How long a hook may take: its own limit; one without gets what the others leave, at most
    /// [`LifecycleConfig::hooks`]. If that would not leave enough for those after it, all get less,
    /// in proportion. `later` is the sum of the limits of those after it, and `open` is how many of
    /// them have none.
    #[must_use]
    pub fn hook_limit(
        &self,
        now: Instant,
        own: Option<Duration>,
        later: Duration,
        open: u32,
    ) -> Duration {
        let left = nanos(self.deadline.since(now));
        let usable = left.saturating_sub(nanos(TAIL).min(left / 10)) as f64;
        let most = nanos(self.config.hooks) as f64;
        let later = nanos(later) as f64;
        let share = (usable / (f64::from(open) + 2.0)).min(most);
        let others = later + share * f64::from(open);
        let own = match own {
            Some(own) => nanos(own) as f64,
            None => (usable - others).max(share).min(most),
        };
        let all = own + others;
        duration((if all > usable { usable * (own / all) } else { own }) as u64)
    }

    /// What the steps need, and what there is.
    #[must_use]
    pub fn budget(&self) -> Budget {
        Budget::of(&self.config, self.hooks)
    }

    /// With which code the process is to end:
    ///
    /// | code | when |
    /// |---|---|
    /// | 128 + n | a third signal, number n, ended it at once |
    /// | 1 | a failure that nobody caught began the end |
    /// | 75 | a request was cut off, or the deadline came first |
    /// | 1 | a hook failed or was given up |
    /// | 0 | all requests were finished and all hooks have ended |
    ///
    /// The first row that fits holds.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if let Some(signal) = self.signals.exit() {
            return signal.saturating_add(128);
        }
        match () {
            () if self.failed => FAILED,
            () if self.cut || self.phase == Phase::Forced => CUT_OFF,
            () if self.hook_failed => FAILED,
            () => 0,
        }
    }

    /// With which code it ends if it has to end now, before it is done.
    #[must_use]
    pub fn forced_code(&self) -> u8 {
        Self { phase: Phase::Forced, ..*self }.exit_code()
    }

    /// One of its times in ms: the deadline (0), the end of the drain delay, the latest end of the
    /// drain (-1 each while it runs), then the fields of the [`Budget`], its sum, and what it lacks.
    #[doc(hidden)]
    #[must_use]
    pub fn figure(&self, which: u32) -> f64 {
        if which < 3 && self.phase == Phase::Running {
            return -1.0;
        }
        let budget = self.budget();
        millis(match which {
            0 => self.deadline.since(Instant::ZERO),
            1 => self.ready_until.since(Instant::ZERO),
            2 => self.drain_until.since(Instant::ZERO),
            3 => budget.delay,
            4 => budget.longest_request,
            5 => budget.hooks,
            6 => budget.margin,
            7 => budget.grace,
            8 => budget.needed(),
            _ => budget.short(),
        })
    }
}
