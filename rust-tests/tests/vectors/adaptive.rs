//! What limits become of latencies, and each rule written out.

mod model;

use std::collections::VecDeque;

use model::Model;
use seawall::limit::adaptive::{AdaptiveLimiter, AdaptiveOptions, Change};
use seawall::{Instant, Outcome, Rng};
use serde_json::{Value, json};

use crate::script::{Draft, Script, Step, Subject, millis, options};

const REASONS: [(&str, Change); 9] = [
    ("initial", Change::Initial),
    ("warm-up", Change::WarmUp),
    ("room", Change::Room),
    ("steady", Change::Steady),
    ("queue", Change::Queue),
    ("throughput", Change::Throughput),
    ("failures", Change::Failures),
    ("unused", Change::Unused),
    ("bounds", Change::Bounds),
];

struct Core {
    limiter: AdaptiveLimiter,
    begun: VecDeque<Instant>,
}

impl Core {
    fn new(script: &Script) -> Self {
        let words = ["correlated", "gradient2", "vegas", "aimd"];
        let words: Vec<_> = (0..).zip(words).map(|(code, word)| (word, json!(code))).collect();
        let options: AdaptiveOptions = options(&script.options, &words);
        let config = options.build().expect("valid options");
        let limiter = AdaptiveLimiter::new(config, script.seed, Instant::ZERO);
        Self { limiter: limiter.expect("valid options"), begun: VecDeque::new() }
    }
}

fn outcome(step: &Step<'_>) -> Outcome {
    match step.text("outcome") {
        Some("failure") => Outcome::Failure,
        Some("neutral") => Outcome::Neutral,
        _ => Outcome::Success,
    }
}

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let now = step.at();
        let mut begun = None;
        if step.r#do() == "begin" {
            let calls = (0..step.count("calls")).filter(|_| self.limiter.start().is_ok()).count();
            self.begun.extend(std::iter::repeat_n(now, calls));
            begun = Some(calls);
        } else {
            for _ in 0..step.count("calls") {
                let began = self.begun.pop_front().expect("it is in flight");
                self.limiter.end(now.since(began), outcome(step), now);
            }
        }
        let seen = self.limiter.explain(now);
        let reason = REASONS.iter().find(|(_, change)| *change == seen.change);
        json!({
            "begun": begun, "limit": seen.limit, "reason": reason.map(|(name, _)| name),
            "latencyMs": seen.latency.map(millis), "baselineMs": seen.baseline.map(millis),
        })
    }
}

fn generated() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (algorithm, about) in [
        (
            "correlated",
            "The default rule: room, then more than the other side can do, then failures.",
        ),
        ("gradient2", "Latency against its average."),
        ("vegas", "Latency against the least seen, which is forgotten at times that are drawn."),
        ("aimd", "Failures and slow windows alone."),
    ] {
        let mut options = json!({
            "algorithm": algorithm, "initialLimit": 10, "minLimit": 2, "maxLimit": 60,
            "minSamples": 8, "minWindowMs": 40, "maxWindowMs": 400,
        });
        if algorithm == "aimd" {
            options["slowAfterMs"] = json!(22);
        }
        let name = format!("long-{algorithm}");
        let mut draft = Draft::new(&name, about, options, 61, Model::new);
        let mut rng = Rng::new(9);
        let mut now = 0;
        for round in 0..130 {
            let mut draw = |below: usize| (rng.unit() * below as f64) as usize;
            let wanted = [8, 40, 3, 12, 30][round / 26] + draw(9);
            draft.step(json!({ "at": now, "do": "begin", "calls": wanted }));
            let flying = draft.model.begun.len();
            // Beyond so many, calls wait at the other side.
            let (side, usual) = [(50, 10), (10, 10), (12, 12), (12, 20), (14, 9)][round / 26];
            now += usual + draw(4) + usual * flying.saturating_sub(side) / side;
            let first = draw(flying + 1);
            for calls in [first, flying - first] {
                if calls == 0 {
                    continue;
                }
                let outcome = match draw(if round / 26 == 3 { 5 } else { 30 }) {
                    0 => "failure",
                    1 => "neutral",
                    _ => "success",
                };
                draft.step(json!({ "at": now, "do": "end", "calls": calls, "outcome": outcome }));
                now += draw(6);
            }
        }
        scripts.push(draft.script);
    }
    scripts
}

vectors!("adaptive");
