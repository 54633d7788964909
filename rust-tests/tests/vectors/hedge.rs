//! When hedges begin.

use std::time::Duration;

use seawall::Rng;
use seawall::hedge::{Hedge, HedgeOptions};
use serde_json::{Value, json};

use crate::latencies::{Known, burst, flat};
use crate::script::{Draft, Script, Step, Subject, millis, ms, options};

struct Core(Hedge);

impl Core {
    fn new(script: &Script) -> Self {
        let options: HedgeOptions = options(&flat(script, "delayMs"), &[]);
        Self(options.build().expect("valid options"))
    }
}

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let Self(hedge) = self;
        let mut now = step.at();
        if step.r#do() == "record" {
            step.numbers("ms").into_iter().for_each(|latency| hedge.record(ms(latency), now));
        }
        if step.r#do() != "call" {
            let delay = hedge.usual(now).map(millis);
            return json!({ "delayMs": delay, "samples": hedge.count(now) });
        }
        let (mut delays, mut left) = (Vec::new(), step.time("leftMs"));
        let mut begun = 1;
        while let Ok(delay) = hedge.delay(begun, step.time("ownMs"), left, now) {
            delays.push(millis(delay));
            begun += 1;
            // Timers are in whole milliseconds.
            let passed = Duration::from_millis(millis(delay).ceil() as u64);
            now = now.after(passed);
            left = left.map(|left| left.saturating_sub(passed));
        }
        json!({ "hedgesAfterMs": delays })
    }
}

struct Model(Known);

impl Model {
    fn new(script: &Script) -> Self {
        Self(Known::new(script))
    }

    /// In milliseconds.
    fn usual(&mut self, now: u64) -> Option<f64> {
        let own = self.0.options["delayMs"].clone();
        let fallback = self.0.options["fallbackMs"].as_f64();
        let Some(share) = own["quantile"].as_f64() else { return own.as_f64().or(fallback) };
        if !self.0.suffice(share, now) {
            return fallback;
        }
        Some(self.0.latencies.quantile(share, now)?.max(own["minMs"].as_f64().unwrap_or(0.0)))
    }
}

impl Subject for Model {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let mut now = step.at().as_nanos();
        self.0.record_of(step);
        if step.r#do() != "call" {
            return json!({ "delayMs": self.usual(now), "samples": self.0.latencies.count(now) });
        }
        let mut left = step.number("leftMs").unwrap_or(f64::INFINITY);
        let mut delays = Vec::new();
        for _ in 0..self.0.options["maxHedges"].as_u64().unwrap_or(1) {
            let delay = step.number("ownMs").or_else(|| self.usual(now));
            let Some(delay) = delay.filter(|delay| *delay < left) else { break };
            delays.push(delay);
            left -= delay.ceil();
            now += delay.ceil() as u64 * 1_000_000;
        }
        json!({ "hedgesAfterMs": delays })
    }
}

fn generated() -> Vec<Script> {
    let mut draft = Draft::new(
        "long-quantile",
        "Delays that follow latencies that change.",
        json!({
            "delayMs": { "quantile": 0.95, "minMs": 12 }, "fallbackMs": 250, "maxHedges": 2,
            "windowMs": 20_000, "minSamples": 10,
        }),
        0,
        Model::new,
    );
    let mut rng = Rng::new(6);
    let mut now = 2000;
    for _ in 0..200 {
        let mut draw = |below: u32| (rng.unit() * f64::from(below)) as u32;
        now += 1500 + draw(120) + if draw(60) == 0 { 20_000 } else { 0 };
        let usual = [8, 80, 200][(now / 40_000 % 3) as usize];
        match draw(4) {
            0 | 1 => {
                let ms = burst(&mut draw, usual);
                draft.step(json!({ "at": now, "do": "record", "ms": ms }));
            }
            2 => drop(draft.step(json!({ "at": now, "do": "call" }))),
            _ => drop(draft.step(json!({ "at": now, "do": "call", "leftMs": draw(usual * 4) }))),
        }
    }
    vec![draft.script]
}

vectors!("hedge");
