//! How long tries may take.

use seawall::Rng;
use seawall::timeout::{Reason, Timeout, TimeoutOptions};
use serde_json::{Value, json};

use crate::latencies::{Known, burst, flat};
use crate::script::{Draft, Script, Step, Subject, millis, ms, options};

struct Core(Timeout);

impl Core {
    fn new(script: &Script) -> Self {
        let options: TimeoutOptions = options(&flat(script, "timeoutMs"), &[]);
        Self(options.build().expect("valid options"))
    }
}

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let Self(timeout) = self;
        let now = step.at();
        if step.r#do() == "record" {
            step.numbers("ms").into_iter().for_each(|latency| timeout.record(ms(latency), now));
        }
        if step.r#do() != "limit" {
            let limits = timeout.limits(now);
            let median = timeout.quantile(0.5, now).map(millis);
            let samples = timeout.count(now);
            let (own, least) = (millis(limits.own), millis(limits.least));
            return json!({ "timeoutMs": own, "leastMs": least, "samples": samples, "medianMs": median });
        }
        match timeout.limit(step.time("ownMs"), step.time("leftMs"), now) {
            Ok(limit) => json!({ "limitMs": millis(limit), "rule": null }),
            Err(Reason::Passed) => json!({ "limitMs": null, "rule": "deadlinePassed" }),
            Err(_) => json!({ "limitMs": null, "rule": "tooShort" }),
        }
    }
}

struct Model(Known);

impl Model {
    fn new(script: &Script) -> Self {
        Self(Known::new(script))
    }

    /// The time-out, the least that must be left, and the median, in milliseconds.
    fn holds(&mut self, now: u64) -> (f64, f64, Option<f64>) {
        // Without a share of its own it goes by the median.
        let share = self.0.options["timeoutMs"]["quantile"].as_f64();
        let known = self.0.suffice(share.unwrap_or(0.5), now);
        let own = &self.0.options["timeoutMs"];
        let of = |field: &str, default| own[field].as_f64().unwrap_or(default);
        let most = of("maxMs", 30_000.0);
        let fallback = self.0.options["fallbackMs"].as_f64().unwrap_or(most);
        let time = match (own.as_f64(), share) {
            (Some(fixed), _) => fixed,
            (None, Some(share)) if known => {
                let latency = self.0.latencies.quantile(share, now).expect("some are known");
                (latency * of("factor", 2.0)).max(of("minMs", 10.0)).min(most)
            }
            _ => fallback,
        };
        let median = self.0.latencies.quantile(0.5, now);
        let least = median.filter(|_| known).unwrap_or(0.0);
        (time, self.0.options["leastMs"].as_f64().unwrap_or(least), median)
    }
}

impl Subject for Model {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let now = step.at().as_nanos();
        self.0.record_of(step);
        let (time, least, median) = self.holds(now);
        if step.r#do() != "limit" {
            let samples = self.0.latencies.count(now);
            return json!({ "timeoutMs": time, "leastMs": least, "samples": samples, "medianMs": median });
        }
        let time = step.number("ownMs").unwrap_or(time);
        match step.number("leftMs") {
            Some(0.0) => json!({ "limitMs": null, "rule": "deadlinePassed" }),
            Some(left) if left < least => json!({ "limitMs": null, "rule": "tooShort" }),
            left => json!({ "limitMs": time.min(left.unwrap_or(time)), "rule": null }),
        }
    }
}

fn generated() -> Vec<Script> {
    let mut draft = Draft::new(
        "long-quantile",
        "A time-out that follows latencies that change.",
        json!({
            "timeoutMs": { "quantile": 0.9, "factor": 2.5, "minMs": 30, "maxMs": 2000 },
            "fallbackMs": 700, "windowMs": 4000, "minSamples": 15,
        }),
        0,
        Model::new,
    );
    let mut rng = Rng::new(5);
    let mut now = 1000;
    for _ in 0..250 {
        let mut draw = |below: u32| (rng.unit() * f64::from(below)) as u32;
        now += draw(120) + if draw(60) == 0 { 5000 } else { 0 };
        let usual = [8, 80, 400][(now / 6000 % 3) as usize];
        match draw(4) {
            0 | 1 => {
                let ms = burst(&mut draw, usual);
                draft.step(json!({ "at": now, "do": "record", "ms": ms }));
            }
            2 => drop(draft.step(json!({ "at": now, "do": "look" }))),
            _ => drop(draft.step(json!({ "at": now, "do": "limit", "leftMs": draw(usual * 4) }))),
        }
    }
    vec![draft.script]
}

vectors!("timeout");
