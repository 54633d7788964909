//! The latencies of a moving window, in plain lists, and what goes by them.

use serde_json::Value;

use crate::script::{Script, Step};

/// The options with those of `field` beside the others, as the crate takes them.
pub fn flat(script: &Script, field: &str) -> Value {
    let mut flat = script.options.clone();
    let follows = flat[field].as_object().cloned();
    if follows.is_some() || flat[field] == "told" {
        flat[field] = Value::Null;
    }
    for (field, value) in follows.into_iter().flatten() {
        flat[field] = value;
    }
    flat
}

/// Some latencies of one moment.
pub fn burst(draw: &mut impl FnMut(u32) -> u32, usual: u32) -> Vec<f64> {
    let count = draw(6);
    (0..=count).map(|_| f64::from(usual) + f64::from(draw(usual * 1000)) / 1000.0).collect()
}

/// What a model knows that goes by latencies.
pub struct Known {
    pub options: Value,
    pub latencies: Latencies,
}

impl Known {
    pub fn new(script: &Script) -> Self {
        let options = script.options.clone();
        let latencies = Latencies::new(options["windowMs"].as_f64().unwrap_or(60_000.0));
        Self { options, latencies }
    }

    pub fn record_of(&mut self, step: &Step<'_>) {
        if step.r#do() == "record" {
            let now = step.at().as_nanos();
            step.numbers("ms").into_iter().for_each(|ms| self.latencies.record(ms, now));
        }
    }

    /// Whether they are enough to say something of that share.
    pub fn suffice(&mut self, share: f64, now: u64) -> bool {
        let needed = (1.0 / (1.0 - share) - 1e-6).ceil().max(20.0);
        let needed = self.options["minSamples"].as_f64().unwrap_or(needed);
        self.latencies.count(now) as f64 >= needed
    }
}

/// Those that are filled and those from before, in nanoseconds; see `core/src/quantile.rs`.
pub struct Latencies {
    half: u64,
    since: u64,
    young: Vec<u64>,
    old: Vec<u64>,
}

impl Latencies {
    pub fn new(window_ms: f64) -> Self {
        Self { half: (window_ms * 1e6) as u64 / 2, since: 0, young: Vec::new(), old: Vec::new() }
    }

    fn pass(&mut self, now: u64) {
        let age = now.saturating_sub(self.since);
        if age >= 2 * self.half {
            (self.since, self.young, self.old) = (now, Vec::new(), Vec::new());
        } else if age >= self.half {
            self.since += self.half;
            self.old = std::mem::take(&mut self.young);
        }
    }

    pub fn record(&mut self, latency_ms: f64, now: u64) {
        self.pass(now);
        self.young.push((latency_ms * 1e6).round() as u64);
    }

    pub fn count(&mut self, now: u64) -> usize {
        self.pass(now);
        self.young.len() + self.old.len()
    }

    /// In milliseconds.
    pub fn quantile(&mut self, share: f64, now: u64) -> Option<f64> {
        let count = self.count(now);
        let rank = (share * count as f64).max(0.5);
        let all: Vec<_> = self.young.iter().chain(&self.old).copied().collect();
        // Each bucket from its lower edge: units of 1024 ns up to 32, then 16 to each doubling.
        let (mut low, mut width, mut below, mut place) = (0_u64, 1024_u64, 0.0, 0);
        while below < count as f64 {
            let is_last = place == 463;
            let least = if place == 1 { 0 } else { low };
            let inside = |ns: &&u64| **ns >= least && (is_last || **ns < low + width);
            let here = if place == 0 { 0 } else { all.iter().filter(inside).count() } as f64;
            if here > 0.0 && below + here >= rank {
                let at = low as f64 + width as f64 * ((rank - below) / here);
                return Some(at.floor() / 1e6);
            }
            below += here;
            (low, place) = (low + width, place + 1);
            if place >= 32 && place % 16 == 0 {
                width *= 2;
            }
        }
        None
    }
}
