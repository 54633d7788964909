//! Decisions on retries, and their rules one by one.

use seawall::Rng;
use seawall::classify::{Processed, Scope, Verdict};
use seawall::retry::{Decision, Failure, Reason, Retry, RetryOptions};
use serde_json::{Value, json};

use crate::script::{Draft, Script, Step, Subject, millis, options};

struct Core(Retry, Rng);

impl Core {
    fn new(script: &Script) -> Self {
        let waits = script.options["onRefusal"] == "wait";
        let options: RetryOptions = options(&script.options, &[]);
        let options = RetryOptions { wait_for_refusals: Some(waits), ..options };
        Self(options.build(None).expect("valid options"), Rng::new(script.seed))
    }
}

fn verdict(step: &Step<'_>) -> Option<Verdict> {
    Some(Verdict {
        transient: step.flag("transient")?,
        processed: match step.text("processed") {
            Some("maybe") => Processed::Maybe,
            Some("yes") => Processed::Yes,
            _ => Processed::No,
        },
        scope: Scope::Request,
        throttled: false,
        retry_after: step.time("retryAfterMs"),
    })
}

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let failure = Failure {
            attempt: step.count("attempt"),
            elapsed: step.time("elapsedMs").unwrap_or_default(),
            previous: step.time("previousMs").unwrap_or_default(),
            verdict: verdict(step),
            wanted: step.flag("wanted"),
            refused: step.flag("refused") == Some(true),
            delay: step.time("delayMs"),
            remaining: step.time("remainingMs"),
        };
        let reason = match self.0.decide(&failure, &mut self.1) {
            Decision::After(wait) => return json!({ "afterMs": millis(wait), "stop": null }),
            Decision::Stop(reason) => reason,
        };
        let reason = match reason {
            Reason::NotTransient => "notTransient",
            Reason::Attempts => "attempts",
            Reason::Elapsed => "elapsed",
            Reason::Ambiguous => "ambiguous",
            Reason::RetryAfterTooLong => "retryAfterTooLong",
            Reason::Refused => "refused",
            Reason::Deadline => "deadline",
            other => panic!("{other:?} has no name here"),
        };
        json!({ "afterMs": null, "stop": reason })
    }
}

struct Model {
    options: Value,
    rng: Rng,
}

impl Model {
    fn new(script: &Script) -> Self {
        Self { options: script.options.clone(), rng: Rng::new(script.seed) }
    }

    /// In milliseconds.
    fn decide(&mut self, step: &Step<'_>) -> Result<f64, &'static str> {
        let option = |field: &str, default: f64| self.options[field].as_f64().unwrap_or(default);
        let is = |field: &str| self.options[field].as_bool().unwrap_or(true);
        let number = |field: &str| step.number(field).unwrap_or(0.0);
        let (attempt, elapsed) = (number("attempt"), number("elapsedMs"));
        let longest = option("maxElapsedMs", f64::INFINITY);
        if attempt >= option("maxAttempts", 3.0) {
            return Err("attempts");
        }
        if elapsed > longest {
            return Err("elapsed");
        }
        let refused = step.flag("refused") == Some(true);
        let mut asked = 0.0;
        if refused {
            if self.options["onRefusal"] != "wait" {
                return Err("refused");
            }
            asked = number("delayMs");
        } else {
            let transient = step.flag("transient") == Some(true);
            if !step.flag("wanted").unwrap_or(transient) {
                return Err("notTransient");
            }
            let unprocessed = step.flag("transient").is_some()
                && matches!(step.text("processed"), None | Some("no"));
            if !is("idempotent") && !unprocessed {
                return Err("ambiguous");
            }
            if is("respectRetryAfter") {
                asked = number("retryAfterMs");
            }
        }
        if asked > option("maxRetryAfterMs", 30_000.0) {
            return Err("retryAfterTooLong");
        }
        let first = option("delayMs", 1000.0);
        let cap = option("maxDelayMs", first.max(30_000.0));
        let mut scheduled = first;
        if is("backoff") {
            let share = option("jitterFactor", 0.25);
            scheduled = (first * 2f64.powf(attempt - 1.0)).min(cap);
            let spread = scheduled * 1e6 * share * (2.0 * self.rng.unit() - 1.0);
            scheduled = (scheduled * 1e6 + spread).floor() / 1e6;
        }
        let wait = match step.number("delayMs") {
            Some(delay) if !refused => delay.max(asked),
            _ => scheduled.max(asked),
        };
        if elapsed + wait > longest {
            Err("elapsed")
        } else if step.number("remainingMs").is_some_and(|left| wait >= left) {
            Err("deadline")
        } else {
            Ok(wait)
        }
    }
}

impl Subject for Model {
    fn step(&mut self, step: &Step<'_>) -> Value {
        match self.decide(step) {
            Ok(wait) => json!({ "afterMs": wait, "stop": null }),
            Err(reason) => json!({ "afterMs": null, "stop": reason }),
        }
    }
}

fn generated() -> Vec<Script> {
    let idempotent = json!({
        "delayMs": 100, "maxDelayMs": 2000, "maxAttempts": 8, "maxElapsedMs": 20_000,
        "maxRetryAfterMs": 5000,
    });
    let careful = json!({
        "delayMs": 50, "maxAttempts": 5, "jitterFactor": 0.5, "idempotent": false,
        "onRefusal": "wait", "respectRetryAfter": false,
    });
    let mut scripts = Vec::new();
    for (name, about, options, seed) in [
        ("long-idempotent", "Failures of all kinds of what may be done twice.", idempotent, 31),
        (
            "long-careful",
            "Failures of what may not, and refusals that are waited for.",
            careful,
            32,
        ),
    ] {
        let mut draft = Draft::new(name, about, options, seed, Model::new);
        let mut rng = Rng::new(seed);
        for _ in 0..150 {
            let mut draw = |below: u32| (rng.unit() * f64::from(below)) as u32;
            let mut step = json!({ "do": "decide", "attempt": 1 + draw(5) });
            let mut maybe = |field: &str, odds: u32, value: Value| {
                if draw(odds) == 0 {
                    step[field] = value;
                }
            };
            maybe("transient", 1, json!(true));
            maybe("transient", 8, json!(false));
            maybe("processed", 3, json!("maybe"));
            maybe("processed", 10, json!("yes"));
            maybe("wanted", 8, json!(true));
            maybe("wanted", 12, json!(false));
            maybe("refused", 6, json!(true));
            for (field, odds, most) in [
                ("elapsedMs", 2, 30_000),
                ("retryAfterMs", 5, 8000),
                ("delayMs", 8, 3000),
                ("remainingMs", 4, 1500),
            ] {
                if draw(odds) == 0 {
                    step[field] = json!(draw(most));
                }
            }
            draft.step(step);
        }
        scripts.push(draft.script);
    }
    scripts
}

vectors!("retry");
