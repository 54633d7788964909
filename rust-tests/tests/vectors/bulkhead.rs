//! Who gets into bulkheads, who waits, and who is turned away.

use seawall::limit::bulkhead::{Bulkhead, BulkheadConfig, BulkheadOptions};
use seawall::limit::bulkhead::{Entry, Next, Outlook, Refusal, Waiter};
use seawall::limit::priority::{Ask, Priorities, Priority, Rank};
use seawall::{Instant, Rng};
use serde_json::{Value, json};

use crate::script::{Draft, Script, Step, Subject, options};

const CLASSES: [&str; 5] = ["veryLow", "low", "medium", "high", "veryHigh"];

fn config(options: &Value) -> BulkheadConfig {
    let options: BulkheadOptions = self::options(options, &[]);
    options.build().expect("valid options")
}

fn merge(options: &mut Value, step: &Step<'_>) {
    for field in ["maxConcurrent", "maxQueue", "queueTimeoutMs"] {
        if let Some(number) = step.number(field) {
            options[field] = json!(number);
        }
    }
}

struct Core {
    options: Value,
    bulkhead: Bulkhead,
    priorities: Option<Priorities>,
    waiting: Vec<(Waiter, String)>,
    admitted: Vec<String>,
    expired: Vec<String>,
}

impl Core {
    fn new(script: &Script) -> Self {
        let ranked = script.options["priorities"] == true;
        Self {
            options: script.options.clone(),
            bulkhead: Bulkhead::new(config(&script.options)).expect("valid options"),
            priorities: ranked.then(|| Priorities::new(Rng::new(script.seed))),
            waiting: Vec::new(),
            admitted: Vec::new(),
            expired: Vec::new(),
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(next) = self.bulkhead.next(now) {
            let (Next::Admitted(waiter) | Next::Expired(waiter)) = next;
            let place = self.waiting.iter().position(|(other, _)| *other == waiter);
            let (_, name) = self.waiting.remove(place.expect("it waits"));
            match next {
                Next::Admitted(_) => self.admitted.push(name),
                Next::Expired(_) => self.expired.push(name),
            }
        }
    }

    fn enter(&mut self, step: &Step<'_>) -> &'static str {
        let class = |name| CLASSES.iter().position(|class| *class == name);
        let level = step.number("priority").map(|level| Rank::Level(level as u16));
        let class = step.text("priority").and_then(class).map(|class| match class {
            0 => Priority::VeryLow,
            1 => Priority::Low,
            3 => Priority::High,
            4 => Priority::VeryHigh,
            _ => Priority::Medium,
        });
        let rank = level.unwrap_or_else(|| Rank::Class(class.unwrap_or_default()));
        let ask = Ask { rank, user: step.text("user") };
        let entry = match &mut self.priorities {
            Some(priorities) => self.bulkhead.enter_ranked(step.at(), priorities, &ask),
            None => self.bulkhead.enter(step.at()),
        };
        match entry {
            Ok(Entry::Admitted) => "admitted",
            Ok(Entry::Queued(waiter)) => {
                self.waiting.push((waiter, step.call()));
                "queued"
            }
            Err(Refusal::Full) => "full",
            Err(Refusal::Priority(_)) => "priority",
        }
    }
}

impl Subject for Core {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let now = step.at();
        while let Some(due) = self.bulkhead.due().filter(|due| *due <= now) {
            self.drain(due);
        }
        let mut decision = None;
        match step.r#do() {
            "enter" => decision = Some(self.enter(step)),
            "leave" => {
                self.bulkhead.leave();
                self.drain(now);
            }
            "cancel" => {
                let name = step.call();
                let place = self.waiting.iter().position(|(_, other)| *other == name);
                let (waiter, _) = self.waiting.remove(place.expect("it waits"));
                self.bulkhead.cancel(waiter);
            }
            "resize" => {
                merge(&mut self.options, step);
                self.bulkhead.update(config(&self.options)).expect("valid options");
                self.drain(now);
            }
            _ => {}
        }
        let seen = self.bulkhead.explain(now);
        let totals = seen.totals;
        json!({
            "decision": decision,
            "admitted": std::mem::take(&mut self.admitted),
            "expired": std::mem::take(&mut self.expired),
            "running": seen.running, "queued": seen.queued,
            "outlook": match seen.outlook {
                Outlook::Admit => "admit",
                Outlook::Queue => "queue",
                Outlook::Refuse => "refuse",
            },
            "totals": [
                totals.queued, totals.admitted, totals.full, totals.shed, totals.expired,
                totals.cancelled,
            ],
        })
    }
}

struct Waits {
    call: String,
    since: f64,
}

/// Calls in plain lists; times in milliseconds.
struct Model {
    options: Value,
    rng: Rng,
    running: Vec<String>,
    waiting: Vec<Waits>,
    /// The level, the user and whether it was let in, of calls that came while it was full.
    asked: Vec<(usize, Option<String>, bool)>,
    totals: [u32; 6],
}

impl Model {
    fn new(script: &Script) -> Self {
        Self {
            options: script.options.clone(),
            rng: Rng::new(script.seed),
            running: Vec::new(),
            waiting: Vec::new(),
            asked: Vec::new(),
            totals: [0; 6],
        }
    }

    fn limit(&self) -> usize {
        self.options["maxConcurrent"].as_f64().expect("a limit") as usize
    }

    fn most_queued(&self) -> usize {
        let usual = if self.options["priorities"] == true { 3 * self.limit() } else { 0 };
        self.options["maxQueue"].as_f64().map_or(usual, |queue| queue as usize)
    }

    fn patience(&self) -> f64 {
        self.options["queueTimeoutMs"].as_f64().unwrap_or(f64::INFINITY)
    }

    /// Those who go at that time: their names.
    fn drain(&mut self, now: f64, admitted: &mut Vec<String>, expired: &mut Vec<String>) {
        while let Some(first) = self.waiting.first() {
            let late = now >= first.since + self.patience();
            if !late && self.running.len() >= self.limit() {
                return;
            }
            let call = self.waiting.remove(0).call;
            if late {
                self.totals[4] += 1;
                expired.push(call);
            } else {
                self.totals[1] += 1;
                self.running.push(call.clone());
                admitted.push(call);
            }
        }
    }

    /// Whether priority lets it in, with the queue as it is.
    fn judge(&mut self, step: &Step<'_>) -> bool {
        let user = step.text("user").map(str::to_owned);
        let level = match step.number("priority") {
            Some(level) => (level as usize).min(499),
            None => {
                let name = step.text("priority").unwrap_or("medium");
                let class = CLASSES.iter().position(|class| *class == name).expect("a class");
                let unit = self.rng.unit();
                let place = user.as_ref().map_or(unit, |user| self.standing(user, unit));
                100 * class + ((place * 100.0) as usize).min(99)
            }
        };
        let full = self.most_queued();
        let from = full * 2 / 3;
        let over = self.waiting.len().saturating_sub(from) as f64;
        let rate =
            if self.waiting.len() >= full { 1.0 } else { over / (full - from).max(1) as f64 };
        let mut levels: Vec<_> = self.asked.iter().map(|(level, ..)| *level).collect();
        levels.sort_unstable();
        let rank = (rate * levels.len() as f64) as usize;
        let threshold = match levels.len() {
            0 => 0,
            _ if rate == 0.0 => 0,
            count => levels[rank.min(count - 1)],
        };
        self.asked.push((level, user, level >= threshold));
        if self.asked.len() > 1000 {
            self.asked.remove(0);
        }
        level >= threshold
    }

    /// Where a user stands: behind all who were served more, anywhere among those served alike.
    fn standing(&self, user: &str, unit: f64) -> f64 {
        let served = |user: &str| {
            let let_in = |(_, other, admitted): &&(usize, Option<String>, bool)| {
                *admitted && other.as_deref() == Some(user)
            };
            self.asked.iter().filter(let_in).count()
        };
        let own = served(user);
        let users = || self.asked.iter().filter_map(|(_, user, _)| user.as_deref());
        let above = users().filter(|user| served(user) > own).count() as f64;
        let equal = users().filter(|user| served(user) == own).count() as f64;
        (above + unit * equal) / users().count().max(1) as f64
    }

    fn enter(&mut self, step: &Step<'_>, now: f64) -> &'static str {
        if self.waiting.is_empty() && self.running.len() < self.limit() {
            self.running.push(step.call());
            return "admitted";
        }
        let important = self.options["priorities"] != true || self.judge(step);
        if self.waiting.len() >= self.most_queued() {
            self.totals[2] += 1;
            return "full";
        }
        if !important {
            self.totals[3] += 1;
            return "priority";
        }
        self.totals[0] += 1;
        self.waiting.push(Waits { call: step.call(), since: now });
        "queued"
    }
}

impl Subject for Model {
    fn step(&mut self, step: &Step<'_>) -> Value {
        let now = step.number("at").expect("a time");
        let (mut admitted, mut expired) = (Vec::new(), Vec::new());
        while let Some(first) = self.waiting.first().filter(|w| w.since + self.patience() <= now) {
            let due = first.since + self.patience();
            self.drain(due, &mut admitted, &mut expired);
        }
        let mut decision = None;
        match step.r#do() {
            "enter" => decision = Some(self.enter(step, now)),
            "leave" => {
                let call = step.call();
                self.running.retain(|other| *other != call);
                self.drain(now, &mut admitted, &mut expired);
            }
            "cancel" => {
                let call = step.call();
                self.waiting.retain(|other| other.call != call);
                self.totals[5] += 1;
            }
            "resize" => {
                merge(&mut self.options, step);
                self.drain(now, &mut admitted, &mut expired);
            }
            _ => {}
        }
        let outlook = if self.waiting.is_empty() && self.running.len() < self.limit() {
            "admit"
        } else if self.waiting.len() < self.most_queued() {
            "queue"
        } else {
            "refuse"
        };
        json!({
            "decision": decision, "admitted": admitted, "expired": expired,
            "running": self.running.len(), "queued": self.waiting.len(), "outlook": outlook,
            "totals": self.totals,
        })
    }
}

fn generated() -> Vec<Script> {
    let plain = json!({ "maxConcurrent": 3, "maxQueue": 4, "queueTimeoutMs": 60 });
    let ranked = json!({ "maxConcurrent": 4, "queueTimeoutMs": 150, "priorities": true });
    let mut scripts = Vec::new();
    for (name, about, options, seed) in [
        ("long-queue", "First come, first served, with limits that change.", plain, 0),
        ("long-priorities", "Classes, levels and users, with seeded draws.", ranked, 51),
    ] {
        let mut draft = Draft::new(name, about, options, seed, Model::new);
        let mut rng = Rng::new(7);
        let (mut now, mut number) = (0, 0);
        while draft.script.steps.len() < 300 {
            let mut draw = |below: usize| (rng.unit() * below as f64) as usize;
            now += [0, 0, 2, 9][draw(4)];
            let model = &draft.model;
            let (running, waiting) = (model.running.len(), model.waiting.len());
            let mut step = json!({ "at": now, "do": "look" });
            match draw(40) {
                0 => {}
                1 => {
                    step["do"] = json!("resize");
                    step["maxConcurrent"] = json!(2 + draw(4));
                    if seed == 0 {
                        step["maxQueue"] = json!(draw(7));
                        step["queueTimeoutMs"] = json!(20 + draw(80));
                    }
                }
                2 | 3 if waiting > 0 => {
                    step["do"] = json!("cancel");
                    step["call"] = json!(model.waiting[draw(waiting)].call);
                }
                4..16 if running > 0 => {
                    // What has left by itself by then is known only afterwards.
                    step["do"] = json!("leave");
                    step["call"] = json!(model.running[draw(running)]);
                }
                _ => {
                    number += 1;
                    step["do"] = json!("enter");
                    step["call"] = json!(format!("c{number}"));
                    if seed != 0 {
                        match draw(8) {
                            0 => step["priority"] = json!(draw(520).min(499)),
                            class if class < 6 => step["priority"] = json!(CLASSES[class - 1]),
                            _ => {}
                        }
                        if draw(2) == 0 {
                            step["user"] = json!(["ann", "bob", "cleo"][draw(5) % 3]);
                        }
                    }
                }
            }
            // One who has waited too long by now cannot be cancelled any more.
            if step["do"] == "cancel"
                && draft.model.waiting.iter().any(|other| {
                    step["call"] == *other.call
                        && other.since + draft.model.patience() <= now as f64
                })
            {
                continue;
            }
            draft.step(step);
        }
        scripts.push(draft.script);
    }
    scripts
}

vectors!("bulkhead");
