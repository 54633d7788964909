//! Levels, thresholds and waits of a monitor, and a model that keeps every observation and request.

use seawall::Rng;
use seawall::limit::priority::{Ask, Rank};
use seawall::pressure::{Answer, Cause, Judge, PressureOptions, Shed, Signal, Signals};
use serde_json::{Value, json};

use crate::script::{Draft, Script, Step, Subject, options};

const LEVELS: [&str; 5] = ["normal", "elevated", "high", "severe", "full"];
/// The signals that vectors speak of, as JavaScript spells them.
const SIGNALS: [(&str, Signal); 5] = [
    ("block", Signal::Block),
    ("delayP99", Signal::DelayP99),
    ("utilization", Signal::Utilization),
    ("memoryUsed", Signal::MemoryUsed),
    ("memoryLimit", Signal::MemoryLimit),
];

fn observed(step: &Step<'_>) -> Signals {
    let mut signals = Signals::default();
    for (name, signal) in SIGNALS {
        if let Some(value) = step.value("signals").get(name).and_then(Value::as_f64) {
            signals.set(signal, value);
        }
    }
    signals
}

fn name(signal: Signal) -> &'static str {
    SIGNALS.iter().find(|(_, other)| *other == signal).expect("a signal of the vectors").0
}

struct Core(Judge);

impl Core {
    fn new(script: &Script) -> Self {
        let options: PressureOptions = options(&script.options, &[]);
        let config = options.build().expect("valid options");
        Self(Judge::new(config, script.seed).expect("valid options"))
    }
}

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let Self(judge) = self;
        match step.r#do() {
            "observe" => {
                judge.observe(step.at(), &observed(step));
                json!({
                    "level": LEVELS[judge.level() as usize], "pressure": judge.pressure(),
                    "signal": judge.signal().map(name),
                })
            }
            "maintenance" => {
                judge.set_maintenance(step.flag("on") == Some(true));
                json!({})
            }
            "admit" => {
                let rank = Rank::Level(step.number("priority").expect("a level") as u16);
                match judge.admit(&Ask { rank, user: None }) {
                    Answer::Admitted => json!({ "cause": null }),
                    Answer::Shed(Shed { cause, retry_after_s, .. }) => {
                        let cause = match cause {
                            Cause::Signal(signal) => name(signal),
                            Cause::Maintenance => "maintenance",
                        };
                        let wait = (retry_after_s > 0).then_some(f64::from(retry_after_s) * 1e3);
                        json!({ "cause": cause, "retryAfterMs": wait })
                    }
                }
            }
            other => panic!("unknown step {other}"),
        }
    }
}

/// A value with its soft and its hard limit.
type Gauge = (f64, f64, f64);

/// Every observation and every request under pressure, and the levels there were.
struct Model {
    seen: Vec<(f64, [Gauge; 4])>,
    levels: Vec<usize>,
    asked: Vec<u16>,
    pressure: f64,
    signal: Option<&'static str>,
    began: Option<f64>,
    usual: f64,
    drain: f64,
    maintenance: bool,
    rng: Rng,
}

const ENTER: [f64; 5] = [0.0, f64::MIN_POSITIVE, 0.25, 0.5, 1.0];

impl Model {
    fn new(script: &Script) -> Self {
        assert_eq!(script.options, json!({}), "the model knows the defaults alone");
        Self {
            seen: Vec::new(),
            levels: Vec::new(),
            asked: Vec::new(),
            pressure: 0.0,
            signal: None,
            began: None,
            usual: 0.0,
            drain: 0.0,
            maintenance: false,
            rng: Rng::new(script.seed + 1),
        }
    }

    fn share((value, soft, hard): &Gauge) -> f64 {
        if value.is_finite() { ((value - soft) / (hard - soft)).clamp(0.0, 1.0) } else { 0.0 }
    }

    fn pressure_of(row: &[Gauge]) -> f64 {
        row.iter().map(Self::share).fold(0.0, f64::max)
    }

    /// The highest level this observation holds.
    fn held(row: &[Gauge]) -> usize {
        let near = row.iter().any(|(value, soft, _)| *value >= 0.9 * soft);
        let pressure = Self::pressure_of(row);
        let steps = (2..5).rev().find(|level| pressure >= 0.9 * ENTER[*level]);
        steps.unwrap_or(usize::from(near || pressure > 0.0))
    }

    fn observe(&mut self, step: &Step<'_>) -> Value {
        let at = step.number("at").expect("a time");
        let signals = observed(step);
        let value = |signal| signals.get(signal).unwrap_or(f64::NAN);
        let row = [
            (value(Signal::Block), 100.0, 250.0),
            (value(Signal::DelayP99), 100.0, 300.0),
            (value(Signal::Utilization), 0.9, 0.98),
            (value(Signal::MemoryUsed) / value(Signal::MemoryLimit), 0.92, 0.95),
        ];
        let names = ["block", "delayP99", "utilization", "memoryUsed"];
        let pressure = Self::pressure_of(&row);
        self.seen.push((at, row));
        let before = self.levels.last().copied().unwrap_or(0);
        let mut calm = 0;
        for (index, (_, row)) in self.seen.iter().enumerate().rev() {
            let level = if index == 0 { 0 } else { self.levels[index - 1] };
            if level != before || Self::held(row) >= before {
                break;
            }
            calm += 1;
        }
        let entered = (0..5).rev().find(|level| pressure >= ENTER[*level]).unwrap_or(0);
        let level = if calm >= 2 {
            let last = &self.seen[self.seen.len() - calm..];
            last.iter().map(|(_, row)| Self::held(row)).max().unwrap_or(0)
        } else {
            before.max(entered)
        };
        self.levels.push(level);
        if pressure > 0.0 {
            let place = row.iter().position(|gauge| Self::share(gauge) == pressure);
            self.signal = place.map(|place| names[place]);
        }
        if level == 0 {
            self.signal = None;
        }
        self.pressure = if level >= 2 { pressure.max(ENTER[level]) } else { pressure };
        self.drain = match (level > 0, self.began) {
            (true, began) => {
                let lasted = at - *self.began.insert(began.unwrap_or(at));
                lasted.max(self.usual - lasted).min(30_000.0)
            }
            (false, Some(began)) => {
                let lasted = at - began;
                self.usual =
                    if self.usual > 0.0 { (3.0 * self.usual + lasted) / 4.0 } else { lasted };
                self.began = None;
                0.0
            }
            (false, None) => 0.0,
        };
        json!({ "level": LEVELS[level], "pressure": self.pressure, "signal": self.signal })
    }

    fn admit(&mut self, level: u16) -> Value {
        if self.pressure == 0.0 && !self.maintenance {
            return json!({ "cause": null });
        }
        let last = &self.asked[self.asked.len().saturating_sub(1_000)..];
        let mut sorted = last.to_vec();
        sorted.sort_unstable();
        let rank = (self.pressure * sorted.len() as f64) as usize;
        let quantile = sorted.get(rank.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0);
        let threshold = match (self.maintenance, self.pressure) {
            (true, _) => 500,
            (false, 1.0) => 300,
            _ => quantile.clamp(1, 300),
        };
        self.asked.push(level);
        if level >= threshold {
            return json!({ "cause": null });
        }
        let seconds = (self.drain >= 1_000.0)
            .then(|| ((self.drain / 1e3).ceil() * self.rng.between(1.0, 2.0)).round() * 1e3);
        let cause = if self.maintenance { Some("maintenance") } else { self.signal };
        json!({ "cause": cause, "retryAfterMs": seconds })
    }
}

impl Subject for Model {
    fn step(&mut self, step: &Step<'_>) -> Value {
        match step.r#do() {
            "observe" => self.observe(step),
            "admit" => self.admit(step.number("priority").expect("a level") as u16),
            _ => {
                self.maintenance = step.flag("on") == Some(true);
                json!({})
            }
        }
    }
}

fn generated() -> Vec<Script> {
    let about = "Spells of pressure from four signals, with requests of all levels in between.";
    let mut draft = Draft::new("long", about, json!({}), 5, Model::new);
    let mut rng = Rng::new(3);
    let mut now = 0;
    while draft.script.steps.len() < 600 {
        let mut draw = |below: u32| (rng.unit() * f64::from(below)) as u32;
        now += [20, 25, 40, 700][draw(4) as usize];
        // Spells of some seconds, in which each signal keeps near its limits.
        let spell = now / 4_000 % 3;
        let mut signals = json!({});
        if spell != 0 {
            let most = if draw(6) == 0 { 240 } else { 60 };
            signals["block"] = json!(60 + draw(most));
            signals["utilization"] = json!(f64::from(60 + draw(40)) / 100.0);
        }
        if spell == 2 {
            signals["delayP99"] = json!(draw(320));
            signals["memoryUsed"] = json!(850 + draw(110));
            signals["memoryLimit"] = json!(1_000);
        }
        draft.step(json!({ "at": now, "do": "observe", "signals": signals }));
        for _ in 0..draw(4) {
            let priority = draw(500);
            draft.step(json!({ "at": now, "do": "admit", "priority": priority }));
        }
        if draw(60) == 0 {
            let on = !draft.model.maintenance;
            draft.step(json!({ "at": now, "do": "maintenance", "on": on }));
        }
    }
    vec![draft.script]
}

vectors!("pressure");
