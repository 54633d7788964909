//! In which order the parts of a policy stand, and which contradict each other.
//!
//! **Why an order.** A retry inside a breaker is one outcome to the breaker, a breaker inside a
//! retry sees every try. [`Stage::ORDER`] is the one that serves most: what answers without a call
//! at the outside, what repeats calls within the time there is, what refuses tries cheaply before
//! what lets them wait. A time-out stands outside the limits on what runs at a time: a function that
//! goes on after its time is up keeps its place until it has ended, or the limit would be none.
//!
//! ```
//! use seawall::options::Rule;
//! use seawall::policy::{Plan, Stage};
//!
//! let plan = Plan { order: vec![Stage::Retry, Stage::Breaker, Stage::Timeout], ..Plan::default() };
//! assert_eq!(plan.check(), Ok(()));
//!
//! let plan = Plan { order: vec![Stage::Timeout, Stage::Retry], ..Plan::default() };
//! let problem = plan.check().unwrap_err();
//! assert_eq!((problem.field, problem.rule, problem.other), ("retry", Rule::Outside, "timeout"));
//! ```

use alloc::vec::Vec;
use core::time::Duration;

use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// A part of a policy. The discriminants cross to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Stage {
    /// Answers something else where the rest has failed.
    Fallback = 0,
    /// Answers what it knows.
    Cache = 1,
    /// Makes parallel calls for one key a single one.
    Coalesce = 2,
    /// Ends the call as a whole.
    Deadline = 3,
    /// Repeats failed calls.
    Retry = 4,
    /// Begins a second call where the first is late.
    Hedge = 5,
    /// Lets so many calls through in a time.
    RateLimit = 6,
    /// Refuses as many calls as the other side would.
    Throttle = 7,
    /// Refuses calls while the other side is down.
    Breaker = 8,
    /// Ends one try.
    Timeout = 9,
    /// Lets a fixed number of calls run at a time.
    Bulkhead = 10,
    /// Lets as many calls run at a time as the other side bears.
    Adaptive = 11,
    /// Fails calls on purpose.
    Chaos = 12,
}

impl Stage {
    /// All parts, the outermost first.
    pub const ORDER: [Self; 13] = [
        Self::Fallback,
        Self::Cache,
        Self::Coalesce,
        Self::Deadline,
        Self::Retry,
        Self::Hedge,
        Self::RateLimit,
        Self::Throttle,
        Self::Breaker,
        Self::Timeout,
        Self::Bulkhead,
        Self::Adaptive,
        Self::Chaos,
    ];

    /// The part of a discriminant.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ORDER.get(code as usize).copied()
    }

    /// The option that names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Cache => "cache",
            Self::Coalesce => "coalesce",
            Self::Deadline => "deadlineMs",
            Self::Retry => "retry",
            Self::Hedge => "hedge",
            Self::RateLimit => "rateLimit",
            Self::Throttle => "throttle",
            Self::Breaker => "breaker",
            Self::Bulkhead => "bulkhead",
            Self::Adaptive => "adaptive",
            Self::Timeout => "timeout",
            Self::Chaos => "chaos",
        }
    }
}

/// Pairs of which the first makes sense only outside the second: a fallback further in hides
/// failures from what goes by them, a time-out around repetitions is a deadline, and a cache asks
/// nobody where it knows the answer.
const OUTSIDE: [(Stage, Stage); 13] = [
    (Stage::Fallback, Stage::Retry),
    (Stage::Fallback, Stage::Hedge),
    (Stage::Fallback, Stage::Throttle),
    (Stage::Fallback, Stage::Breaker),
    (Stage::Fallback, Stage::Adaptive),
    (Stage::Cache, Stage::Coalesce),
    (Stage::Deadline, Stage::Retry),
    (Stage::Deadline, Stage::Hedge),
    (Stage::Deadline, Stage::Timeout),
    (Stage::Retry, Stage::Timeout),
    (Stage::Hedge, Stage::Timeout),
    (Stage::Timeout, Stage::Bulkhead),
    (Stage::Timeout, Stage::Adaptive),
];

/// What a policy is made of, as far as its parts concern each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Its parts, the outermost first, each once.
    pub order: Vec<Stage>,
    /// Whether repetitions have a budget.
    pub budget: bool,
    /// How long the call as a whole may take.
    pub deadline: Option<Duration>,
    /// How long a try may take, where that is fixed.
    pub timeout: Option<Duration>,
    /// How late a call is when a second one begins, where that is fixed.
    pub hedge_after: Option<Duration>,
    /// How long a call may wait for its place.
    pub queue_timeout: Option<Duration>,
    /// How long tries and waits together may take.
    pub max_elapsed: Option<Duration>,
}

impl Plan {
    /// Whether the parts can do what they are there for.
    ///
    /// # Errors
    /// The first contradiction: a part on the wrong side of another ([`Rule::Outside`]), two that
    /// exclude each other ([`Rule::NotWith`]), a budget without anything that repeats
    /// ([`Rule::OnlyWith`]), or a time within which another cannot happen ([`Rule::NotBelow`]).
    pub fn check(&self) -> Result<(), Problem> {
        if self.has(Stage::Bulkhead) && self.has(Stage::Adaptive) {
            return Err(Problem::between("bulkhead", Rule::NotWith, "adaptive"));
        }
        if self.budget && !self.has(Stage::Retry) && !self.has(Stage::Hedge) {
            return Err(Problem::between("budget", Rule::OnlyWith, "retry"));
        }
        for (outer, inner) in OUTSIDE {
            if self.place(inner).zip(self.place(outer)).is_some_and(|(inner, outer)| inner < outer)
            {
                return Err(Problem::between(outer.name(), Rule::Outside, inner.name()));
            }
        }
        let times = [
            (self.deadline, "deadlineMs", self.timeout, "timeout.timeoutMs"),
            (self.deadline, "deadlineMs", self.queue_timeout, "bulkhead.queueTimeoutMs"),
            (self.deadline, "deadlineMs", self.max_elapsed, "retry.maxElapsedMs"),
            (self.timeout, "timeout.timeoutMs", self.hedge_after, "hedge.delayMs"),
        ];
        for (longer, field, shorter, other) in times {
            if longer.zip(shorter).is_some_and(|(longer, shorter)| longer < shorter) {
                return Err(Problem::between(field, Rule::NotBelow, other));
            }
        }
        Ok(())
    }

    fn place(&self, stage: Stage) -> Option<usize> {
        self.order.iter().position(|other| *other == stage)
    }

    fn has(&self, stage: Stage) -> bool {
        self.place(stage).is_some()
    }
}

/// A [`Plan`] in plain values.
#[doc(hidden)]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanNumbers {
    pub order: Vec<f64>,
    pub budget: Option<bool>,
    pub deadline_ms: Option<f64>,
    pub timeout_ms: Option<f64>,
    pub hedge_ms: Option<f64>,
    pub queue_ms: Option<f64>,
    pub elapsed_ms: Option<f64>,
    pub log: Option<f64>,
}

/// How many decisions a policy remembers at most: at 48 bytes each in JavaScript, what an application
/// may ask for by mistake and still get.
const MOST_LOGGED: u32 = 10_000_000;

impl PlanNumbers {
    /// Whether the parts they describe fit together.
    ///
    /// # Errors
    /// The `log` that is out of range, or the first contradiction of [`Plan::check`].
    pub fn check(&self) -> Result<(), Problem> {
        let mut checks = Checks::new();
        let log = checks.whole("log", self.log, 0.0, 0);
        checks.limit(log <= MOST_LOGGED, "log", Rule::AtMost, f64::from(MOST_LOGGED));
        checks.finish(())?;
        self.plan().check()
    }

    /// The plan they describe.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let time = |ms: Option<f64>| ms.map(crate::time::duration_from_millis);
        Plan {
            order: self.order.iter().filter_map(|code| Stage::from_code(*code as u32)).collect(),
            budget: self.budget == Some(true),
            deadline: time(self.deadline_ms),
            timeout: time(self.timeout_ms),
            hedge_after: time(self.hedge_ms),
            queue_timeout: time(self.queue_ms),
            max_elapsed: time(self.elapsed_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_order_stands() {
        let all = Stage::ORDER.iter().copied();
        for without in [Stage::Bulkhead, Stage::Adaptive] {
            let order: Vec<_> = all.clone().filter(|stage| *stage != without).collect();
            assert_eq!(Plan { order, budget: true, ..Plan::default() }.check(), Ok(()));
        }
        for (code, stage) in (0..).zip(Stage::ORDER) {
            assert_eq!(Stage::from_code(code), Some(stage));
            assert_eq!(stage as u32, code);
        }
        assert_eq!(Stage::from_code(13), None);
    }

    #[test]
    fn each_pair_may_stand_one_way_only() {
        for (outer, inner) in OUTSIDE {
            let order = [inner, Stage::Chaos, outer].to_vec();
            let problem = Plan { order, ..Plan::default() }.check().unwrap_err();
            assert_eq!(problem, Problem::between(outer.name(), Rule::Outside, inner.name()));
            let order = [outer, Stage::Chaos, inner].to_vec();
            assert_eq!(Plan { order, ..Plan::default() }.check(), Ok(()));
        }
    }

    #[test]
    fn parts_that_exclude_each_other() {
        let order = [Stage::Bulkhead, Stage::Adaptive].to_vec();
        let problem = Plan { order, ..Plan::default() }.check().unwrap_err();
        assert_eq!(problem, Problem::between("bulkhead", Rule::NotWith, "adaptive"));
        let order = [Stage::Breaker].to_vec();
        let problem = Plan { order, budget: true, ..Plan::default() }.check().unwrap_err();
        assert_eq!(problem, Problem::between("budget", Rule::OnlyWith, "retry"));
    }

    #[test]
    fn times_within_which_another_cannot_happen() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let plan = Plan { deadline: ms(100), timeout: ms(100), ..Plan::default() };
        assert_eq!(plan.check(), Ok(()));
        let problem = Plan { timeout: ms(101), ..plan.clone() }.check().unwrap_err();
        assert_eq!((problem.field, problem.other), ("deadlineMs", "timeout.timeoutMs"));
        let problem = Plan { queue_timeout: ms(101), ..plan.clone() }.check().unwrap_err();
        assert_eq!((problem.field, problem.other), ("deadlineMs", "bulkhead.queueTimeoutMs"));
        let problem = Plan { max_elapsed: ms(101), ..plan.clone() }.check().unwrap_err();
        assert_eq!((problem.field, problem.other), ("deadlineMs", "retry.maxElapsedMs"));
        let problem = Plan { hedge_after: ms(101), ..plan }.check().unwrap_err();
        assert_eq!((problem.field, problem.other), ("timeout.timeoutMs", "hedge.delayMs"));
    }
}
