//! Retry budgets, and a sum in millionths.

use seawall::Rng;
use seawall::retry::{BudgetOptions, RetryBudget};
use serde_json::{Value, json};

use crate::script::{Draft, Script, Step, Subject, options};

struct Core(RetryBudget);

impl Core {
    fn new(script: &Script) -> Self {
        let tokens = script.options["kind"] == "tokens";
        let options: BudgetOptions = options(&script.options, &[]);
        let options = BudgetOptions { tokens: Some(tokens), ..options };
        let config = options.build().expect("valid options");
        Self(RetryBudget::new(config).expect("valid options"))
    }
}

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let Self(budget) = self;
        match step.r#do() {
            "began" => budget.began(),
            "ended" => budget.ended(),
            "retryEnded" => budget.retry_ended(),
            "allow" => return json!({ "allowed": budget.allow(step.at()) }),
            "look" => {
                let seen = budget.explain(step.at());
                return json!({
                    "calls": seen.calls, "retries": seen.retries, "tokens": seen.tokens,
                    "allowed": seen.allowed, "refused": seen.refused,
                });
            }
            other => panic!("unknown step {other}"),
        }
        json!({})
    }
}

/// A repetition in millionths.
const TOKEN: u64 = 1_000_000;

struct Model {
    ratio: f64,
    least: u64,
    /// Of a bucket: what a call brings, a millisecond, and what it holds.
    bucket: Option<(u64, u64, u64)>,
    tokens: u64,
    now: u64,
    calls: u64,
    retries: u64,
    allowed: u64,
    refused: u64,
}

impl Model {
    fn new(script: &Script) -> Self {
        let number = |field: &str, default| script.options[field].as_f64().unwrap_or(default);
        let whole = |number: f64| (number * TOKEN as f64).round() as u64;
        let ratio = number("ratio", 0.2);
        let bucket = (script.options["kind"] == "tokens").then(|| {
            (
                whole(ratio),
                whole(number("perSecond", 10.0) / 1e3),
                whole(number("maxTokens", 100.0)),
            )
        });
        Self {
            ratio,
            least: number("minConcurrency", 3.0) as u64,
            bucket,
            tokens: bucket.map_or(0, |(_, _, most)| most),
            now: 0,
            calls: 0,
            retries: 0,
            allowed: 0,
            refused: 0,
        }
    }
}

impl Subject for Model {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let now = step.at().as_nanos() / 1_000_000;
        if let Some((per_call, per_ms, most)) = self.bucket {
            let brought = if step.r#do() == "began" { per_call } else { 0 };
            self.tokens = most.min(self.tokens + (now - self.now) * per_ms + brought);
        }
        self.now = now;
        match step.r#do() {
            "began" => self.calls += 1,
            "ended" => self.calls -= 1,
            "retryEnded" => self.retries -= 1,
            "allow" => {
                let allowed = match self.bucket {
                    Some(_) => self.tokens >= TOKEN,
                    None => {
                        self.retries < self.least
                            || self.retries as f64 <= self.ratio * self.calls as f64
                    }
                };
                if allowed {
                    self.retries += 1;
                    self.allowed += 1;
                    self.tokens = self.tokens.saturating_sub(TOKEN);
                } else {
                    self.refused += 1;
                }
                return json!({ "allowed": allowed });
            }
            _ => {
                return json!({
                    "calls": self.calls, "retries": self.retries,
                    "tokens": self.bucket.map(|_| self.tokens as f64 / TOKEN as f64),
                    "allowed": self.allowed, "refused": self.refused,
                });
            }
        }
        json!({})
    }
}

fn generated() -> Vec<Script> {
    let in_flight = json!({ "kind": "inFlight", "ratio": 0.3, "minConcurrency": 2 });
    let tokens = json!({ "kind": "tokens", "ratio": 0.15, "perSecond": 2, "maxTokens": 6 });
    let mut scripts = Vec::new();
    for (name, about, options) in [
        ("long-in-flight", "Repetitions under way against calls under way.", in_flight),
        ("long-tokens", "A bucket that calls and seconds fill.", tokens),
    ] {
        let mut draft = Draft::new(name, about, options, 0, Model::new);
        let mut rng = Rng::new(2);
        let mut now = 0;
        while draft.script.steps.len() < 250 {
            let mut draw = |below: u32| (rng.unit() * f64::from(below)) as u32;
            now += [0, 1, 5, 30][draw(4) as usize] + if draw(60) == 0 { 900 } else { 0 };
            let what = match draw(20) {
                0 => "look",
                1..7 => "began",
                7..11 if draft.model.calls > 0 => "ended",
                11..14 if draft.model.retries > 0 => "retryEnded",
                14.. => "allow",
                _ => continue,
            };
            draft.step(json!({ "at": now, "do": what }));
        }
        scripts.push(draft.script);
    }
    scripts
}

vectors!("budget");
