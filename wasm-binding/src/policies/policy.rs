//! Whether the parts of a policy fit together: see `core/src/policy`.

use seawall::policy::PlanNumbers;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::numbers::Numbers;
use crate::options::refused;

/// 0 if they do, -1 after a refusal. The plan is the numbers of `PlanNumbers`.
#[wasm_bindgen(js_name = policyCheck)]
pub fn policy_check(plan: Numbers) -> f64 {
    let plan = plan.read::<PlanNumbers>();
    plan.check().map_or_else(|problem| refused(&problem), |()| 0.0)
}
