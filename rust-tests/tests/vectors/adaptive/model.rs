//! Each rule of adaptive limits written out.

use std::collections::VecDeque;

use seawall::{Outcome, Rng};
use serde_json::{Value, json};

use super::outcome;
use crate::script::{Script, Step, Subject};

/// What a window says; times in nanoseconds.
struct Sample {
    latency: f64,
    /// That of successes, if they are half of those wanted.
    good: Option<f64>,
    mean: f64,
    count: f64,
    failed: bool,
    failing: bool,
    peak: f64,
    full: bool,
}

#[derive(Default)]
pub struct Model {
    options: Value,
    rng: Option<Rng>,
    limit: f64,
    pub begun: VecDeque<f64>,
    /// The window: when it opened, how long it lasts, latencies, the most in flight.
    opened: f64,
    lasts: f64,
    good: Vec<f64>,
    bad: Vec<f64>,
    peak: f64,
    greatest: f64,
    reason: &'static str,
    latency: Option<f64>,
    /// Latencies and points of all windows so far.
    recent: Vec<f64>,
    medians: Vec<f64>,
    good_recent: Vec<f64>,
    points: Vec<(f64, f64)>,
    baseline: Option<f64>,
    in_baseline: u32,
    /// Vegas: calls until the least latency is forgotten.
    left: f64,
}

fn median_of_five(all: &[f64]) -> f64 {
    let mut last = all[all.len().saturating_sub(5)..].to_vec();
    last.sort_unstable_by(f64::total_cmp);
    last[last.len() / 2]
}

/// The mean of the first numbers, then a moving average.
fn average(value: f64, number: f64, count: u32, warm_up: u32, age: f64) -> f64 {
    let weight = if count <= warm_up { 1.0 / f64::from(count) } else { 2.0 / (age + 1.0) };
    value + (number - value) * weight
}

fn whole_log10(limit: f64) -> f64 {
    limit.max(10.0).log10().floor()
}

impl Model {
    pub fn new(script: &Script) -> Self {
        let mut model = Self {
            options: script.options.clone(),
            rng: Some(Rng::new(script.seed)),
            reason: "initial",
            ..Self::default()
        };
        model.limit = model.number("initialLimit", 20.0);
        model.lasts = model.number("minWindowMs", 1000.0) * 1e6;
        model
    }

    fn number(&self, field: &str, default: f64) -> f64 {
        self.options[field].as_f64().unwrap_or(default)
    }

    /// From a histogram of eight buckets to each doubling, and interpolated within one.
    fn quantile(&self, share: f64) -> Option<f64> {
        let rank = self.good.len() as f64 * share;
        let (mut low, mut width, mut place, mut below) = (1024.0, 128.0, 0, 0.0);
        while below < self.good.len() as f64 {
            let inside = |ns: &&f64| (place == 0 || **ns >= low) && **ns < low + width;
            let here = self.good.iter().filter(inside).count() as f64;
            if here > 0.0 && below + here >= rank {
                return Some(low + width * ((rank - below) / here).max(0.0));
            }
            below += here;
            (low, place) = (low + width, place + 1);
            if place % 8 == 0 {
                width *= 2.0;
            }
        }
        None
    }

    fn sample(&self) -> Sample {
        let share = self.number("quantile", 0.9);
        let (good, bad) = (self.good.len() as f64, self.bad.len() as f64);
        let count = good + bad;
        let sum: f64 = self.good.iter().sum();
        let failed: f64 = self.bad.iter().sum();
        let fast = self.quantile(share);
        let failing = bad > count * (1.0 - share);
        let latency = fast.unwrap_or(0.0);
        Sample {
            latency: if failing { latency.max(failed / bad) } else { latency },
            good: fast.filter(|_| good >= (self.number("minSamples", 50.0) / 2.0).floor()),
            mean: (sum + failed) / count.max(1.0),
            count,
            failed: bad > 0.0,
            failing,
            peak: self.peak,
            full: self.peak >= self.limit.floor(),
        }
    }

    fn is_over(&self, now: f64) -> bool {
        let count = (self.good.len() + self.bad.len()) as f64;
        count >= self.number("minSamples", 50.0) && now >= self.opened + self.lasts
    }

    fn decide(&mut self, now: f64) {
        let sample = self.sample();
        let shortest = self.number("minWindowMs", 1000.0) * 1e6;
        let longest = (self.number("maxWindowMs", 30_000.0) * 1e6).max(shortest);
        self.lasts = (2.0 * sample.latency).floor().max(shortest).min(longest);
        (self.good, self.bad, self.peak, self.opened) = (Vec::new(), Vec::new(), 0.0, now);
        self.latency = Some(sample.latency);
        self.greatest = self.greatest.max(sample.peak);
        let limit = self.limit;
        let (next, reason) = match self.options["algorithm"].as_str() {
            Some("gradient2") => self.gradient2(&sample, limit),
            Some("vegas") => self.vegas(&sample, limit),
            Some("aimd") => self.aimd(&sample, limit),
            _ => self.correlated(&sample, limit),
        };
        if next > limit && next > 5.0 * self.greatest {
            self.reason = "unused";
            return;
        }
        self.reason = reason;
        self.limit = next.max(self.number("minLimit", 1.0)).min(self.number("maxLimit", 200.0));
    }

    fn aimd(&self, sample: &Sample, limit: f64) -> (f64, &'static str) {
        match sample {
            _ if sample.failed => (limit * 0.9, "failures"),
            _ if sample.latency > self.number("slowAfterMs", 5000.0) * 1e6 => {
                (limit * 0.9, "queue")
            }
            _ if sample.peak < limit / 2.0 => (limit, "unused"),
            _ => (limit + 1.0, "room"),
        }
    }

    fn gradient2(&mut self, sample: &Sample, limit: f64) -> (f64, &'static str) {
        self.in_baseline += 1;
        let before = self.baseline.unwrap_or(0.0);
        let long = average(before, sample.mean, self.in_baseline, 10, 600.0);
        self.baseline = Some(if long > 2.0 * sample.mean { long * 0.95 } else { long });
        if sample.peak < limit / 2.0 {
            return (limit, "unused");
        }
        let gradient = (1.5 * long / sample.mean).clamp(0.5, 1.0);
        let next = limit * 0.8 + (limit * gradient + 4.0) * 0.2;
        (next, if next < limit { "queue" } else { "room" })
    }

    fn vegas(&mut self, sample: &Sample, limit: f64) -> (f64, &'static str) {
        self.left -= sample.count;
        let forgotten = self.left <= 0.0;
        if forgotten {
            let rng = self.rng.as_mut().expect("it is there");
            self.left = (0.5 + rng.unit() * 0.5) * 30.0 * limit;
        }
        let least = match self.baseline {
            Some(least) if !forgotten && least <= sample.mean => least,
            _ => {
                self.baseline = Some(sample.mean);
                return (limit, "warm-up");
            }
        };
        let queue = (limit * (1.0 - least / sample.mean)).ceil();
        let log = whole_log10(limit);
        match queue {
            _ if sample.failed => (limit - log, "failures"),
            _ if sample.peak < limit / 2.0 => (limit, "unused"),
            queue if queue <= log => (limit + 6.0 * log, "room"),
            queue if queue < 3.0 * log => (limit + log, "room"),
            queue if queue > 6.0 * log => (limit - log, "queue"),
            _ => (limit, "steady"),
        }
    }

    /// By how many percent throughput grew for each percent of calls in flight more.
    fn gain(&self) -> Option<f64> {
        let points = &self.points[self.points.len().saturating_sub(20)..];
        let count = points.len() as f64;
        let x = points.iter().map(|(x, _)| x / count).sum::<f64>();
        let y = points.iter().map(|(_, y)| y / count).sum::<f64>();
        let squares: f64 = points.iter().map(|(px, _)| (px - x) * (px - x)).sum();
        let products: f64 = points.iter().map(|(px, py)| (px - x) * (py - y)).sum();
        let varies = squares > count * (0.02 * x) * (0.02 * x);
        (points.len() >= 10 && varies && y > 0.0).then(|| products / squares * x / y)
    }

    fn correlated(&mut self, sample: &Sample, limit: f64) -> (f64, &'static str) {
        self.recent.push(sample.latency);
        self.medians.push(median_of_five(&self.recent));
        let mut recent = 0.0;
        for (count, median) in (1..).zip(&self.medians) {
            recent = average(recent, *median, count, 5, 5.0);
        }
        self.points.push((sample.peak, sample.peak / sample.mean.max(1.0)));
        let gain = self.gain();
        let served = gain.is_some_and(|gain| gain > 0.5);
        if let Some(good) = sample.good {
            self.good_recent.push(good);
            let good = median_of_five(&self.good_recent);
            let before = self.baseline.unwrap_or(0.0);
            if good <= before || self.in_baseline < 10 || served || !sample.full {
                self.in_baseline += 1;
                self.baseline = Some(average(before, good, self.in_baseline, 10, 10.0));
            }
        }
        let Some(baseline) = self.baseline.filter(|_| self.in_baseline >= 10) else {
            return (limit, "warm-up");
        };
        let step = whole_log10(limit).max((limit / 50.0).floor());
        let queue = (limit * (1.0 - baseline / recent)).ceil();
        match queue {
            queue if queue > 6.0 * step => {
                (limit - step, if sample.failing { "failures" } else { "queue" })
            }
            queue if queue >= 3.0 * step => (limit, "steady"),
            _ if !sample.full && sample.peak < limit / 2.0 => (limit, "unused"),
            _ if !sample.full => (limit + step, "room"),
            _ if gain.is_some_and(|gain| gain < 0.3) => (limit - step, "throughput"),
            _ if served => (limit + step.max((limit / 20.0).floor()), "room"),
            _ => (limit + step, "room"),
        }
    }
}

impl Subject for Model {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let now = step.at().as_nanos() as f64;
        let mut begun = None;
        if step.r#do() == "begin" {
            let free = (self.limit.floor() as usize).saturating_sub(self.begun.len());
            let calls = free.min(step.count("calls") as usize);
            self.begun.extend(std::iter::repeat_n(now, calls));
            if calls > 0 {
                self.peak = self.peak.max(self.begun.len() as f64);
            }
            begun = Some(calls);
        } else {
            let correlated =
                matches!(self.options["algorithm"].as_str(), None | Some("correlated"));
            for _ in 0..step.count("calls") {
                let latency = now - self.begun.pop_front().expect("it is in flight");
                match outcome(step) {
                    Outcome::Success => self.good.push(latency),
                    // A side that refuses at once is no fast side.
                    Outcome::Failure if !correlated || latency > self.baseline.unwrap_or(-1.0) => {
                        self.bad.push(latency);
                    }
                    // A window whose time is over ends with any call but one that was cancelled.
                    Outcome::Failure => {}
                    Outcome::Neutral => continue,
                }
                if self.is_over(now) {
                    self.decide(now);
                }
            }
        }
        let time = |ns: Option<f64>| ns.map(|ns| ns.floor() / 1e6);
        json!({
            "begun": begun, "limit": self.limit as u32, "reason": self.reason,
            "latencyMs": time(self.latency), "baselineMs": time(self.baseline),
        })
    }
}
