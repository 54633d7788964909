//! A budget of repetitions that many policies share.

use std::sync::{Arc, Mutex};

use super::clock;
use crate::options::Problem;
use crate::retry::{BudgetConfig, BudgetExplanation, RetryBudget};
use crate::sync::lock;

/// A [`RetryBudget`] for retries and hedges; clones are the same budget.
///
/// ```
/// use seawall::retry::{BudgetConfig, RetryConfig};
/// use seawall::tokio::{Budget, Retry};
///
/// let budget = Budget::new(BudgetConfig::default())?;
/// let retry = Retry::new(RetryConfig::default())?.within(budget.clone());
/// assert_eq!(budget.explain().retries, 0);
/// # Ok::<(), seawall::options::Problem>(())
/// ```
#[derive(Debug, Clone)]
pub struct Budget(Arc<Mutex<RetryBudget>>);

impl Budget {
    /// A budget with nothing under way.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(config: BudgetConfig) -> Result<Self, Problem> {
        Ok(Self(Arc::new(Mutex::new(RetryBudget::new(config)?))))
    }

    /// Goes on by other options; what is under way stays so.
    ///
    /// # Errors
    /// The first option that is out of range; nothing has changed then.
    pub fn update(&self, config: BudgetConfig) -> Result<(), Problem> {
        lock(&self.0).update(config, clock::now())
    }

    /// The state in numbers.
    #[must_use]
    pub fn explain(&self) -> BudgetExplanation {
        lock(&self.0).explain(clock::now())
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A call begins, and ends when what is returned is dropped.
    pub(crate) fn began(&self) -> Spent {
        lock(&self.0).began();
        Spent { budget: self.clone(), repetition: false }
    }

    /// A repetition, if there may be one, which ends when what is returned is dropped.
    pub(crate) fn allow(&self) -> Option<Spent> {
        let allowed = lock(&self.0).allow(clock::now());
        allowed.then(|| Spent { budget: self.clone(), repetition: true })
    }
}

/// `within` and its counterpart for a policy that may have a budget.
macro_rules! within_budget {
    ($policy:ty, $(#[$about:meta])+) => {
        impl $policy {
            $(#[$about])+
            #[must_use]
            pub fn within(self, budget: Budget) -> Self {
                Self { budget: Some(budget), ..self }
            }

            pub(crate) const fn budget(&self) -> Option<&Budget> {
                self.budget.as_ref()
            }
        }
    };
}
pub(super) use within_budget;

/// A call or a repetition under way.
#[derive(Debug)]
pub(crate) struct Spent {
    budget: Budget,
    repetition: bool,
}

impl Drop for Spent {
    fn drop(&mut self) {
        let mut budget = lock(&self.budget.0);
        if self.repetition {
            budget.retry_ended();
        } else {
            budget.ended();
        }
    }
}
