//! Whether the parts of a policy fit together: see `core/src/policy`.

use napi_derive::napi;
use seawall::door::numbers;
use seawall::policy::PlanNumbers;

use crate::options::refused;

/// 0 if they do, -1 after a refusal. The plan is the numbers of `PlanNumbers`.
#[napi]
pub fn policy_check(plan: &[f64]) -> f64 {
    let plan = numbers::read::<PlanNumbers>(plan);
    plan.check().map_or_else(|problem| refused(&problem), |()| 0.0)
}
