//! Throttles, and a recount of every call.

use seawall::limit::throttle::{Throttle, ThrottleOptions};
use seawall::{Outcome, Rng};
use serde_json::{Value, json};

use crate::script::{Draft, Script, Step, Subject, options};

struct Core(Throttle, Rng);

impl Core {
    fn new(script: &Script) -> Self {
        let options: ThrottleOptions = options(&script.options, &[]);
        let config = options.build().expect("valid options");
        Self(Throttle::new(config).expect("valid options"), Rng::new(script.seed))
    }
}

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let Self(throttle, rng) = self;
        let outcome = match step.r#do() {
            "admit" => return json!({ "admitted": throttle.admit(step.at(), rng) }),
            "look" => {
                let seen = throttle.explain(step.at());
                return json!({
                    "probability": seen.rejection, "calls": seen.calls,
                    "successes": seen.successes, "failures": seen.failures,
                    "refused": seen.refused,
                });
            }
            "success" => Outcome::Success,
            "failure" => Outcome::Failure,
            "neutral" => Outcome::Neutral,
            other => panic!("unknown step {other}"),
        };
        throttle.settle(outcome, step.at());
        json!({})
    }
}

/// All calls of ever, each with the twentieth of the window it fell into.
struct Model {
    k: f64,
    slice: u64,
    minimum: f64,
    most: f64,
    log: Vec<(u64, &'static str)>,
    rng: Rng,
}

impl Model {
    fn new(script: &Script) -> Self {
        let number = |field: &str, default| script.options[field].as_f64().unwrap_or(default);
        Self {
            k: number("k", 2.0),
            slice: (number("windowMs", 60_000.0) * 1e6) as u64 / 20,
            minimum: number("minimumCalls", 20.0),
            most: number("maxRejection", 0.9),
            log: Vec::new(),
            rng: Rng::new(script.seed),
        }
    }

    fn count(&self, slice: u64, what: &str) -> f64 {
        self.log.iter().filter(|(at, how)| at + 20 > slice && *how == what).count() as f64
    }
}

impl Subject for Model {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let slice = step.at().as_nanos() / self.slice;
        let of = |what| self.count(slice, what);
        let (successes, failures, refused) = (of("success"), of("failure"), of("refused"));
        let calls = successes + failures + refused;
        let share = ((calls - self.k * successes) / (calls + 1.0)).max(0.0).min(self.most);
        let probability = if calls < self.minimum { 0.0 } else { share };
        match step.r#do() {
            "success" => self.log.push((slice, "success")),
            "failure" => self.log.push((slice, "failure")),
            "admit" => {
                let admitted = probability == 0.0 || self.rng.unit() >= probability;
                if !admitted {
                    self.log.push((slice, "refused"));
                }
                return json!({ "admitted": admitted });
            }
            "look" => {
                return json!({
                    "probability": probability, "calls": calls as u32,
                    "successes": successes as u32, "failures": failures as u32,
                    "refused": refused as u32,
                });
            }
            _ => {}
        }
        json!({})
    }
}

fn generated() -> Vec<Script> {
    let mut draft = Draft::new(
        "long",
        "Good and bad spells: what is drawn, and what is counted.",
        json!({ "k": 1.5, "windowMs": 2000, "minimumCalls": 10, "maxRejection": 0.8 }),
        21,
        Model::new,
    );
    let mut rng = Rng::new(1);
    let (mut now, mut number, mut under_way) = (0, 0, Vec::new());
    while draft.script.steps.len() < 400 {
        let mut draw = |below: u32| (rng.unit() * f64::from(below)) as u32;
        now += [0, 3, 10, 40][draw(4) as usize] + if draw(80) == 0 { 1500 } else { 0 };
        match draw(20) {
            0 => drop(draft.step(json!({ "at": now, "do": "look" }))),
            1..10 => {
                number += 1;
                let call = format!("c{number}");
                let answer = draft.step(json!({ "at": now, "do": "admit", "call": call }));
                if answer["admitted"] == true {
                    under_way.push(call);
                }
            }
            _ if under_way.is_empty() => {}
            _ => {
                let call = under_way.remove(draw(under_way.len() as u32) as usize);
                let good = if now / 1000 % 2 == 0 { 9 } else { 2 };
                let how = match draw(10) {
                    0 => "neutral",
                    lot if lot <= good => "success",
                    _ => "failure",
                };
                draft.step(json!({ "at": now, "do": how, "call": call }));
            }
        }
    }
    vec![draft.script]
}

vectors!("throttle");
