//! How fresh answers are.

use std::collections::BTreeMap;
use std::time::Duration;

use seawall::cache::{CacheOptions, Freshness, Lifetimes};
use seawall::{Instant, Rng};
use serde_json::{Value, json};

use crate::script::{Draft, Script, Step, Subject, options};

struct Core {
    lifetimes: Lifetimes,
    rng: Rng,
    kept: BTreeMap<String, (Instant, Duration)>,
}

impl Core {
    fn new(script: &Script) -> Self {
        let options: CacheOptions = options(&script.options, &[]);
        Self {
            lifetimes: options.build().expect("valid options"),
            rng: Rng::new(script.seed),
            kept: BTreeMap::new(),
        }
    }
}

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let key = step.text("key").expect("a key").to_owned();
        if step.r#do() == "set" {
            let lifespan = self.lifetimes.lifespan(step.time("ttlMs"), &mut self.rng);
            self.kept.insert(key, (step.at(), lifespan));
            return json!({});
        }
        let judge = |(stored, lifespan)| self.lifetimes.judge(stored, step.at(), lifespan);
        json!({ "is": match self.kept.get(&key).copied().map_or(Freshness::Expired, judge) {
            Freshness::Fresh => "fresh",
            Freshness::Stale => "stale",
            Freshness::OnError => "onError",
            Freshness::Expired => "expired",
        } })
    }
}

/// In nanoseconds.
struct Model {
    ttl: f64,
    stale: f64,
    on_error: f64,
    jitter: f64,
    rng: Rng,
    kept: BTreeMap<String, (f64, f64)>,
}

impl Model {
    fn new(script: &Script) -> Self {
        let number = |field: &str, default| script.options[field].as_f64().unwrap_or(default);
        Self {
            ttl: number("ttlMs", 600_000.0) * 1e6,
            stale: number("staleWhileRevalidateMs", 0.0) * 1e6,
            on_error: number("staleIfErrorMs", 0.0) * 1e6,
            jitter: number("jitter", 0.0),
            rng: Rng::new(script.seed),
            kept: BTreeMap::new(),
        }
    }
}

impl Subject for Model {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let now = step.at().as_nanos() as f64;
        let key = step.text("key").expect("a key").to_owned();
        if step.r#do() == "set" {
            let ttl = step.number("ttlMs").map_or(self.ttl, |ms| ms * 1e6);
            let draw = if self.jitter > 0.0 { self.rng.unit() } else { 0.0 };
            self.kept.insert(key, (now, (ttl * (1.0 - self.jitter * draw)).floor()));
            return json!({});
        }
        let Some((stored, lifespan)) = self.kept.get(&key) else {
            return json!({ "is": "expired" });
        };
        let age = (now - stored).abs();
        json!({ "is": match age {
            _ if *lifespan == 0.0 => "expired",
            age if age < *lifespan => "fresh",
            age if age < lifespan + self.stale => "stale",
            age if age < lifespan + self.on_error => "onError",
            _ => "expired",
        } })
    }
}

fn generated() -> Vec<Script> {
    let mut draft = Draft::new(
        "long-jitter",
        "Lifespans that are drawn.",
        json!({
            "ttlMs": 1000, "staleWhileRevalidateMs": 300, "staleIfErrorMs": 900, "jitter": 0.5,
        }),
        41,
        Model::new,
    );
    let mut rng = Rng::new(4);
    let mut now = 0;
    for key in 0..5 {
        draft.step(json!({ "at": 0, "do": "set", "key": format!("k{key}") }));
    }
    for _ in 0..200 {
        let mut draw = |below: u32| (rng.unit() * f64::from(below)) as u32;
        now += draw(70);
        let what = if draw(7) == 0 { "set" } else { "look" };
        draft.step(json!({ "at": now, "do": what, "key": format!("k{}", draw(5)) }));
    }
    vec![draft.script]
}

vectors!("cache");
