//! Which parts of a policy fit together. All by hand: the rules are a list.

use seawall::policy::{Plan, Stage};
use serde_json::{Value, json};

use crate::script::{Script, Step, Subject, check, ms};

const NAMES: [&str; 13] = [
    "fallback",
    "cache",
    "coalesce",
    "deadlineMs",
    "retry",
    "hedge",
    "rateLimit",
    "throttle",
    "breaker",
    "timeout",
    "bulkhead",
    "adaptive",
    "chaos",
];

struct Core;

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let plan = step.value("policy");
        let stage = |name: &str| Stage::from_code(NAMES.iter().position(|n| *n == name)? as u32);
        let order = match plan["order"].as_array() {
            Some(order) => order.iter().filter_map(|name| stage(name.as_str()?)).collect(),
            None => {
                let named = NAMES.into_iter().filter(|name| !plan[name].is_null());
                named.filter_map(stage).collect()
            }
        };
        let time = |value: &Value| value.as_f64().map(ms);
        let plan = Plan {
            order,
            budget: !plan["budget"].is_null(),
            deadline: time(&plan["deadlineMs"]),
            timeout: time(&plan["timeout"]),
            hedge_after: time(&plan["hedge"]["delayMs"]),
            queue_timeout: time(&plan["bulkhead"]["queueTimeoutMs"]),
            max_elapsed: time(&plan["retry"]["maxElapsedMs"]),
        };
        match plan.check() {
            Ok(()) => json!({ "option": null, "other": null }),
            Err(problem) => json!({ "option": problem.field, "other": problem.other }),
        }
    }
}

#[test]
fn the_core_answers_every_vector() {
    check("policy", "core", |_: &Script| Core);
}
