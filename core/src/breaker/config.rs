//! What a breaker watches, and what it does about it.

use alloc::boxed::Box;
use core::time::Duration;

use crate::backoff::Backoff;
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// How many causes, probes and steps stay within a permit's bits and a breaker's memory.
const MOST_PERMITS: u32 = 100_000;
const MOST_WINDOW_CALLS: u32 = 1_000_000;
const MOST_SLICES: u32 = 3_600;
const MOST_FAILURES: u32 = 100_000;

/// When a closed breaker opens.
#[derive(Debug, Clone, PartialEq)]
pub enum TripRule {
    /// After this many failures without a success between them. At least 1.
    Consecutive(u32),
    /// After `failures` failures within `within` of each other, whatever
    /// succeeded between them. At least 1, at most 100,000.
    Failures {
        /// How many.
        failures: u32,
        /// Within how long.
        within: Duration,
    },
    /// When a share of the calls in a sliding window failed, or was slow.
    Rate(RateRule),
}

/// The share of failed or slow calls at which a breaker opens.
#[derive(Debug, Clone, PartialEq)]
pub struct RateRule {
    /// Which calls count.
    pub window: Window,
    /// No decision on fewer calls than this. At least 1; a count window holds no
    /// more than its size, so there it is at most the size.
    pub minimum_calls: u32,
    /// Opens when this share of the calls failed: above 0, at most 1.
    pub failure_rate: Option<f64>,
    /// Opens when a share of the calls was slow.
    pub slow: Option<SlowRule>,
}

/// When calls count as slow, and how many of them are too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowRule {
    /// Opens when this share of the calls was slow: above 0, at most 1.
    pub rate: f64,
    /// A call is slow when it takes longer than this.
    pub longer_than: Duration,
}

/// Which calls a rate is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The last so many calls: 1 to 1,000,000.
    Calls(u32),
    /// The calls of the last `span`, kept in `slices` slices (1 to 3,600): the
    /// oldest calls leave one slice at a time.
    Time {
        /// How far back.
        span: Duration,
        /// In how many parts.
        slices: u32,
    },
}

/// How long a breaker stays open before it lets a probe through.
#[derive(Debug, Clone, PartialEq)]
pub enum OpenFor {
    /// Always this long.
    Fixed(Duration),
    /// As the schedule says for the 1st, 2nd, … opening since the breaker was last closed. A
    /// breaker cannot give up, so the schedule's limits do not apply and the last entry of a list
    /// goes on.
    Backoff(Box<Backoff>),
}

/// How an open breaker finds out whether it may close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HalfOpen {
    /// How many probes one trial has: 1 to 100,000. All other calls are refused meanwhile.
    pub permits: u32,
    /// Closes when this share of the probes succeeded: above 0, at most 1. Decided as
    /// soon as the rest cannot change it.
    pub success_rate: f64,
    /// A probe that has not ended by then gives its place to another; its result counts
    /// all the same. `None` means as long as the breaker was open.
    pub lease: Option<Duration>,
}

impl Default for HalfOpen {
    /// One probe, which must succeed.
    fn default() -> Self {
        Self { permits: 1, success_rate: 1.0, lease: None }
    }
}

impl HalfOpen {
    /// How many of `of` results must be successes.
    pub(crate) fn required(self, of: u32) -> u32 {
        let up = libm::ceil(f64::from(of) * self.success_rate) as u32;
        // The product may be a hair above the whole number that it stands for.
        let one_less = up.saturating_sub(1);
        let required = if is_share(one_less, of, self.success_rate) { one_less } else { up };
        required.clamp(1, of.max(1))
    }
}

/// Whether `count` of `of` is at least the share `rate`.
///
/// Divides, since the quotient of two whole numbers is the very number that its decimal is read
/// as; a product is not: 0.07 of 100 comes out above 7.
pub(crate) fn is_share(count: u32, of: u32, rate: f64) -> bool {
    f64::from(count) / f64::from(of) >= rate
}

/// Closing in steps instead of all at once, each with a verdict of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Reclose {
    /// The share of calls let through in each step, ascending, each above 0 and below 1.
    pub shares: Box<[f64]>,
    /// A step is judged after this many results, by [`HalfOpen::success_rate`]. At least 1.
    pub calls: u32,
    /// A step lasts no longer than this; with fewer results it is judged on those it has,
    /// and with none it passes.
    pub step: Duration,
}

/// Whether a breaker acts on what it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Mode {
    /// Decides and refuses.
    #[default]
    Enforce = 0,
    /// Decides, counts and reports, and lets every call through.
    DryRun = 1,
    /// Lets every call through and judges none.
    Disabled = 2,
}

impl Mode {
    /// The mode of a number that crossed a door.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::DryRun,
            2 => Self::Disabled,
            _ => Self::Enforce,
        }
    }
}

/// Everything a breaker is told at its construction.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerConfig {
    /// When it opens.
    pub trip: TripRule,
    /// For how long.
    pub open_for: OpenFor,
    /// How it tries again.
    pub half_open: HalfOpen,
    /// Whether it closes in steps.
    pub reclose: Option<Reclose>,
    /// Whether it acts.
    pub mode: Mode,
}

impl Default for BreakerConfig {
    /// Five failures in a row open it for a minute; one successful probe closes it.
    fn default() -> Self {
        Self {
            trip: TripRule::Consecutive(5),
            open_for: OpenFor::Fixed(Duration::from_secs(60)),
            half_open: HalfOpen::default(),
            reclose: None,
            mode: Mode::Enforce,
        }
    }
}

impl BreakerConfig {
    /// Refuses what makes no sense, naming the option.
    ///
    /// # Errors
    /// The first [`Problem`] found.
    pub fn validate(&self) -> Result<(), Problem> {
        let mut checks = Checks::new();
        self.check(&mut checks);
        checks.finish(())
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        self.trip.check(checks);
        let HalfOpen { permits, success_rate, lease } = self.half_open;
        checks.up_to("halfOpen.permits", permits, MOST_PERMITS);
        checks.ratio("halfOpen.successRate", success_rate);
        if let Some(lease) = lease {
            checks.above_zero("halfOpen.leaseMs", lease);
        }
        if let Some(reclose) = &self.reclose {
            reclose.check(checks);
        }
    }

    /// Whether the rule counts in slices of time.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        matches!(&self.trip, TripRule::Rate(RateRule { window: Window::Time { .. }, .. }))
    }

    /// Above which a call is slow, where the rule asks for that.
    #[must_use]
    pub fn slow_limit(&self) -> Option<Duration> {
        match &self.trip {
            TripRule::Rate(RateRule { slow: Some(slow), .. }) => Some(slow.longer_than),
            _ => None,
        }
    }
}

impl TripRule {
    fn check(&self, checks: &mut Checks) {
        match self {
            Self::Consecutive(failures) => checks.at_least_one("threshold", *failures),
            Self::Failures { failures, within } => {
                checks.up_to("threshold", *failures, MOST_FAILURES);
                checks.above_zero("withinMs", *within);
            }
            Self::Rate(rule) => rule.check(checks),
        }
    }
}

impl RateRule {
    fn check(&self, checks: &mut Checks) {
        let asks = self.failure_rate.is_some() || self.slow.is_some();
        checks.between(asks, "window", Rule::OnlyWith, "failureRate");
        if let Some(rate) = self.failure_rate {
            checks.ratio("failureRate", rate);
        }
        if let Some(slow) = self.slow {
            checks.ratio("slowCallRate", slow.rate);
        }
        checks.at_least_one("minimumCalls", self.minimum_calls);
        match self.window {
            Window::Calls(calls) => {
                checks.up_to("window.calls", calls, MOST_WINDOW_CALLS);
                let fits = self.minimum_calls <= calls;
                checks.between(fits, "window.calls", Rule::NotBelow, "minimumCalls");
            }
            Window::Time { span, slices } => {
                checks.above_zero("window.ms", span);
                checks.up_to("window.slices", slices, MOST_SLICES);
            }
        }
    }
}

impl Reclose {
    fn check(&self, checks: &mut Checks) {
        const SHARES: &str = "reclose.shares";
        checks.rule(!self.shares.is_empty(), SHARES, Rule::NotEmpty);
        let mut last = 0.0;
        for &share in &self.shares {
            checks.rule(share > 0.0 && share < 1.0, SHARES, Rule::Ratio);
            checks.rule(share > last, SHARES, Rule::Ascending);
            last = share;
        }
        checks.at_least_one("reclose.calls", self.calls);
        checks.above_zero("reclose.stepMs", self.step);
    }
}
