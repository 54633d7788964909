//! How many repetitions there may be beside the calls they repeat.
//!
//! **Why.** Three tries for each call are three times the load, just when the other side has too
//! much. A budget lets single failures be repeated and refuses when repetitions become a share of
//! all traffic. Whatever sends a call twice takes from the same budget: retries and hedges.
//!
//! **When not.** Where calls are so few that each has to be repeated as often as it takes: the
//! least that is always allowed covers that up to a few at a time.
//!
//! **Which.** [`BudgetConfig::InFlight`] knows no time: repetitions under way against calls under
//! way. [`BudgetConfig::Tokens`] is a bucket: each call brings a share of a repetition, each second
//! brings some more. A share of 0.3 is exactly three in ten, of 0.7 exactly seven.
//!
//! A refusal says nothing of the failure that was to be repeated: hand that one to the caller.
//!
//! ```
//! use seawall::Instant;
//! use seawall::retry::{BudgetConfig, RetryBudget};
//!
//! let mut budget = RetryBudget::new(BudgetConfig::default())?;
//! for _ in 0..40 {
//!     budget.began();
//! }
//! let allowed = (0..40).filter(|_| budget.allow(Instant::ZERO)).count();
//! assert_eq!(allowed, 9, "while at most a fifth is under way, and then none");
//! budget.retry_ended();
//! assert!(budget.allow(Instant::ZERO));
//! # Ok::<(), seawall::options::Problem>(())
//! ```

use alloc::vec::Vec;

use crate::fields::Checks;
use crate::limit::bucket::{Level, Rate};
use crate::numbers::{put, put_count};
use crate::options::{Problem, Rule};
use crate::time::{Instant, product};

/// Units of one repetition: shares to a billionth and rates to a thousandth in a second.
const TOKEN: u64 = 1_000_000_000_000;
/// The most repetitions a bucket may hold.
const MOST_TOKENS: f64 = 1_000_000.0;

/// What a [`RetryBudget`] is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BudgetConfig {
    /// Allows a repetition while fewer than `min_concurrency` are under way, or no more than
    /// `ratio` of the calls under way: failsafe-go's rule.
    InFlight {
        /// Repetitions for each call, above 0 and at most 1. Default 0.2.
        ratio: f64,
        /// So many are always allowed at a time. Default 3. Zero: only the ratio counts.
        min_concurrency: u32,
    },
    /// Allows a repetition while there is a whole one in a bucket, which is full at first.
    Tokens {
        /// What a call brings, above 0 and at most 1. Default 0.2.
        ratio: f64,
        /// What a second brings, from 0. Default 10.
        per_second: f64,
        /// What the bucket holds, from 1 to a million. Default 100.
        max_tokens: f64,
    },
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self::InFlight { ratio: RATIO, min_concurrency: MIN_CONCURRENCY }
    }
}

const RATIO: f64 = 0.2;
const MIN_CONCURRENCY: u32 = 3;
const PER_SECOND: f64 = 10.0;
const TOKENS: f64 = 100.0;

/// A budget in plain values; what is left out has the default of [`BudgetConfig`].
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct BudgetOptions {
    /// Whether it is a bucket. Default false: it counts what is under way.
    pub tokens: Option<bool>,
    /// Repetitions for each call.
    pub ratio: Option<f64>,
    /// So many are always allowed at a time. Not with `tokens`.
    pub min_concurrency: Option<f64>,
    /// What a second brings. Only with `tokens`.
    pub per_second: Option<f64>,
    /// What the bucket holds. Only with `tokens`.
    pub max_tokens: Option<f64>,
}

impl BudgetOptions {
    /// The configuration they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<BudgetConfig, Problem> {
        let mut checks = Checks::new();
        let config = self.make(&mut checks);
        RetryBudget::checked(config, &mut checks);
        checks.finish(config)
    }

    fn make(&self, checks: &mut Checks) -> BudgetConfig {
        let ratio = self.ratio.unwrap_or(RATIO);
        if self.tokens.unwrap_or(false) {
            checks.between(self.min_concurrency.is_none(), "minConcurrency", Rule::NotWith, "kind");
            return BudgetConfig::Tokens {
                ratio,
                per_second: self.per_second.unwrap_or(PER_SECOND),
                max_tokens: self.max_tokens.unwrap_or(TOKENS),
            };
        }
        checks.only_with("perSecond", self.per_second, "kind");
        checks.only_with("maxTokens", self.max_tokens, "kind");
        let min = checks.whole("minConcurrency", self.min_concurrency, 0.0, MIN_CONCURRENCY);
        BudgetConfig::InFlight { ratio, min_concurrency: min }
    }
}

/// A limit on repetitions. See the [module](self).
#[derive(Debug, Clone)]
pub struct RetryBudget {
    config: BudgetConfig,
    /// What a call brings, in units.
    deposit: u64,
    rate: Rate,
    level: Level,
    calls: u32,
    retries: u32,
    /// Calls whose share is not yet in the bucket.
    fresh: u64,
    allowed: u64,
    refused: u64,
}

impl RetryBudget {
    /// A budget of `config`, with nothing under way.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn new(config: BudgetConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let budget = Self::checked(config, &mut checks);
        checks.finish(budget)
    }

    /// The budget of options, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn of(options: &BudgetOptions, checks: &mut Checks) -> Self {
        Self::checked(options.make(checks), checks)
    }

    fn checked(config: BudgetConfig, checks: &mut Checks) -> Self {
        let (ratio, per_second, tokens) = match config {
            BudgetConfig::InFlight { ratio, .. } => (ratio, 0.0, 1.0),
            BudgetConfig::Tokens { ratio, per_second, max_tokens } => {
                (ratio, per_second, max_tokens)
            }
        };
        checks.ratio("ratio", ratio);
        for (field, value, least) in [("perSecond", per_second, 0.0), ("maxTokens", tokens, 1.0)] {
            checks.limit(value >= least, field, Rule::AtLeast, least);
            checks.limit(value <= MOST_TOKENS, field, Rule::AtMost, MOST_TOKENS);
        }
        let token = TOKEN as f64;
        let rate = Rate {
            cost: TOKEN,
            // Units in a nanosecond.
            speed: libm::round(per_second * (token / 1e9)) as u64,
            capacity: libm::round(tokens * token) as u64,
        };
        Self {
            config,
            // To a billionth of a token, so that a share is what its decimals say.
            deposit: product(libm::round(ratio * 1e9) as u64, TOKEN / 1_000_000_000),
            rate,
            level: Level::EMPTY,
            calls: 0,
            retries: 0,
            fresh: 0,
            allowed: 0,
            refused: 0,
        }
    }

    /// Goes on by other options. What is under way stays so; a bucket keeps what was taken from it.
    ///
    /// # Errors
    ///
    /// The first option that is out of range; nothing has changed then.
    pub fn update(&mut self, config: BudgetConfig, now: Instant) -> Result<(), Problem> {
        let mut checks = Checks::new();
        let other = Self::checked(config, &mut checks);
        checks.finish(())?;
        self.become_like(&other, now);
        Ok(())
    }

    /// Goes on by the options of `other`.
    #[doc(hidden)]
    pub fn become_like(&mut self, other: &Self, now: Instant) {
        self.fill(now);
        let Self { config, deposit, rate, .. } = *other;
        *self = Self { config, deposit, rate, ..self.clone() };
    }

    /// A call begins, its repetitions not counted.
    pub fn began(&mut self) {
        self.calls = self.calls.saturating_add(1);
        self.fresh = self.fresh.saturating_add(1);
    }

    /// A call is over, with all its repetitions.
    pub fn ended(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }

    /// Whether a repetition may begin; if so, [`RetryBudget::retry_ended`] ends it. To be asked
    /// before the wait that comes before it.
    pub fn allow(&mut self, now: Instant) -> bool {
        self.fill(now);
        let allowed = match self.config {
            BudgetConfig::InFlight { ratio, min_concurrency } => {
                self.retries < min_concurrency
                    || f64::from(self.retries) <= ratio * f64::from(self.calls)
            }
            BudgetConfig::Tokens { .. } => {
                let left = self.rate.capacity.saturating_sub(self.level.used());
                let enough = left >= TOKEN;
                if enough {
                    self.level.put(TOKEN);
                }
                enough
            }
        };
        if allowed {
            self.retries = self.retries.saturating_add(1);
            self.allowed = self.allowed.wrapping_add(1);
        } else {
            self.refused = self.refused.wrapping_add(1);
        }
        allowed
    }

    /// A repetition is over.
    pub fn retry_ended(&mut self) {
        self.retries = self.retries.saturating_sub(1);
    }

    /// What is under way, as counted elsewhere, and how many calls began since this was told last.
    #[doc(hidden)]
    pub fn tell(&mut self, calls: u32, retries: u32, fresh: u32) {
        self.calls = calls;
        self.retries = retries;
        self.brought(fresh);
    }

    /// So many calls began since this was told last.
    #[doc(hidden)]
    pub fn brought(&mut self, fresh: u32) {
        self.fresh = self.fresh.saturating_add(fresh.into());
    }

    /// Puts into the bucket what time and calls have brought. Between two repetitions it may be put
    /// in at any time: the sum is the same, and so is what flows over.
    fn fill(&mut self, now: Instant) {
        self.level.settle(&self.rate, now);
        self.level.take(product(self.deposit, self.fresh));
        self.fresh = 0;
    }

    /// The state in numbers.
    #[must_use]
    pub fn explain(&mut self, now: Instant) -> BudgetExplanation {
        self.fill(now);
        let left = self.rate.capacity.saturating_sub(self.level.used());
        BudgetExplanation {
            calls: self.calls,
            retries: self.retries,
            tokens: match self.config {
                BudgetConfig::InFlight { .. } => None,
                BudgetConfig::Tokens { .. } => Some(left as f64 / TOKEN as f64),
            },
            allowed: self.allowed,
            refused: self.refused,
        }
    }
}

/// The state of a budget in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetExplanation {
    /// Calls under way.
    pub calls: u32,
    /// Repetitions under way.
    pub retries: u32,
    /// What is in the bucket, if there is one.
    pub tokens: Option<f64>,
    /// Repetitions allowed so far.
    pub allowed: u64,
    /// Repetitions refused so far.
    pub refused: u64,
}

impl BudgetExplanation {
    /// The fields in their order, -1 for no bucket.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<f64> {
        let mut numbers = Vec::new();
        put_count(&mut numbers, self.calls);
        put_count(&mut numbers, self.retries);
        put(&mut numbers, self.tokens.unwrap_or(-1.0));
        put(&mut numbers, self.allowed as f64);
        put(&mut numbers, self.refused as f64);
        numbers
    }
}
