//! Rate limiters: who may go, and when those in line are let go.

mod tokens;

use std::collections::VecDeque;
use std::time::Duration;

use seawall::limit::rate::{Decision, RateLimiter, RateOptions, Refusal};
use seawall::{Instant, Rng};
use serde_json::{Value, json};

use crate::script::{Draft, Script, Step, Subject, millis, options};
use tokens::Tokens;

/// What a line of callers needs.
trait Limiter {
    fn acquire(&mut self, permits: u32, max_wait: Duration, now: u64) -> Decision;
    fn advance(&mut self, permits: u32, now: u64) -> Decision;
    fn leave(&mut self, permits: u32);
    fn retry_after(&mut self, permits: u32, now: u64) -> Option<Duration>;
    /// 0 ends it.
    fn hold(&mut self, until: u64);
    fn update(&mut self, options: &Value, now: u64);
    /// Permits there are, calls in line, permits they wait for, how long nothing passes, how long
    /// until one more permit could be had.
    fn look(&mut self, now: u64) -> (u32, u32, u64, Duration, Duration);
}

fn at(ns: u64) -> Instant {
    Instant::from_nanos(ns)
}

fn read(options: &Value) -> seawall::limit::rate::RateConfig {
    let words = [("gcra", json!(0)), ("slidingWindow", json!(1))];
    let options: RateOptions = self::options(options, &words);
    options.build().expect("valid options")
}

impl Limiter for RateLimiter {
    fn acquire(&mut self, permits: u32, max_wait: Duration, now: u64) -> Decision {
        Self::acquire(self, permits, max_wait, at(now))
    }

    fn advance(&mut self, permits: u32, now: u64) -> Decision {
        Self::advance(self, permits, at(now))
    }

    fn leave(&mut self, permits: u32) {
        Self::leave(self, permits);
    }

    fn retry_after(&mut self, permits: u32, now: u64) -> Option<Duration> {
        Self::retry_after(self, permits, at(now))
    }

    fn hold(&mut self, until: u64) {
        if until == 0 { self.release() } else { Self::hold(self, at(until)) }
    }

    fn update(&mut self, options: &Value, now: u64) {
        Self::update(self, read(options), at(now)).expect("valid options");
    }

    fn look(&mut self, now: u64) -> (u32, u32, u64, Duration, Duration) {
        let seen = self.explain(at(now));
        (seen.available, seen.queued, seen.waiting, seen.held, seen.next)
    }
}

const MS: u64 = 1_000_000;

struct Waits {
    call: String,
    permits: u32,
    /// When it gives up, in whole milliseconds.
    until: u64,
}

/// Callers in a line, with timers in whole milliseconds as JavaScript has them.
struct Callers<L> {
    options: Value,
    limiter: L,
    line: VecDeque<Waits>,
    wake: u64,
    now: u64,
    passed: Vec<String>,
    late: Vec<String>,
}

const NEVER: u64 = u64::MAX;

fn after(now: u64, wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(MS.into()).max(1))
        .map_or(NEVER, |ms| ms.saturating_add(now))
}

impl<L: Limiter> Callers<L> {
    fn of(script: &Script, limiter: L) -> Self {
        Self {
            options: script.options.clone(),
            limiter,
            line: VecDeque::new(),
            wake: NEVER,
            now: 0,
            passed: Vec::new(),
            late: Vec::new(),
        }
    }

    /// Lets the first ones go whose time has come.
    fn shift(&mut self) {
        self.wake = NEVER;
        while let Some(Waits { permits, .. }) = self.line.front() {
            match self.limiter.advance(*permits, self.now * MS) {
                Decision::Wait(wait) => {
                    self.wake = after(self.now, wait);
                    return;
                }
                decision => {
                    let call = self.line.pop_front().expect("the first").call;
                    let list =
                        if decision.is_granted() { &mut self.passed } else { &mut self.late };
                    list.push(call);
                }
            }
        }
    }

    /// Somebody gives up; whether they were still in line.
    fn leave(&mut self, call: &str) -> bool {
        let Some(place) = self.line.iter().position(|waits| waits.call == call) else {
            return false;
        };
        let waits = self.line.remove(place).expect("it waits");
        self.limiter.leave(waits.permits);
        if place == 0 {
            self.shift();
        }
        true
    }

    fn pass(&mut self, until: u64) {
        loop {
            let first = self.line.iter().min_by_key(|waits| waits.until);
            let (patience, call) =
                first.map_or((NEVER, String::new()), |waits| (waits.until, waits.call.clone()));
            let next = self.wake.min(patience);
            if next > until {
                break;
            }
            self.now = next;
            self.shift();
            if patience == next && self.leave(&call) {
                self.late.push(call);
            }
        }
        self.now = until;
    }

    fn refused(&mut self, refusal: Refusal, permits: u32) -> Value {
        let rule = match refusal {
            Refusal::Rate => "limit",
            Refusal::Held => "hold",
            Refusal::Wait => "maxWaitMs",
            Refusal::Queue => "maxQueue",
            Refusal::Weight => "weight",
            other => panic!("{other:?} has no name here"),
        };
        let wait = self.limiter.retry_after(permits, self.now * MS).map(millis);
        json!({ "decision": "refused", "rule": rule, "retryAfterMs": wait })
    }

    fn ask(&mut self, step: &Step<'_>) -> Value {
        if !self.line.is_empty() {
            self.shift();
        }
        let permits = step.count("permits");
        let max_wait = match step.r#do() {
            "tryAcquire" => Duration::ZERO,
            _ => step.time("maxWaitMs").unwrap_or(Duration::MAX),
        };
        match self.limiter.acquire(permits, max_wait, self.now * MS) {
            Decision::Granted => json!({ "decision": "granted" }),
            Decision::Refused(refusal) => self.refused(refusal, permits),
            Decision::Wait(wait) => {
                if self.line.is_empty() {
                    self.wake = after(self.now, wait);
                }
                let until =
                    if max_wait == Duration::MAX { NEVER } else { after(self.now, max_wait) };
                self.line.push_back(Waits { call: step.call(), permits, until });
                json!({ "decision": "waiting" })
            }
        }
    }
}

impl<L: Limiter> Subject for Callers<L> {
    fn step(&mut self, step: &Step<'_>) -> Value {
        self.pass(step.at().as_nanos() / MS);
        let now = self.now * MS;
        let mut answer = json!({});
        match step.r#do() {
            "tryAcquire" | "acquire" => answer = self.ask(step),
            "leave" => drop(self.leave(&step.call())),
            "hold" => {
                self.limiter.hold(now + u64::from(step.count("forMs")) * MS);
                self.shift();
            }
            "release" => {
                self.limiter.hold(0);
                self.shift();
            }
            "update" => {
                for (field, value) in step.value("options").as_object().into_iter().flatten() {
                    self.options[field] = value.clone();
                }
                self.limiter.update(&self.options, now);
                self.shift();
            }
            "look" => {
                let (available, queued, waiting, held, next) = self.limiter.look(now);
                answer = json!({
                    "available": available, "queued": queued, "waiting": waiting,
                    "heldMs": millis(held), "nextMs": millis(next),
                });
            }
            other => panic!("unknown step {other}"),
        }
        answer["passed"] = json!(std::mem::take(&mut self.passed));
        answer["late"] = json!(std::mem::take(&mut self.late));
        answer
    }
}

struct Core;

impl Core {
    #[allow(clippy::new_ret_no_self, reason = "the tests know it by this name")]
    fn new(script: &Script) -> Callers<RateLimiter> {
        let limiter = RateLimiter::new(read(&script.options)).expect("valid options");
        Callers::of(script, limiter)
    }
}

struct Model;

impl Model {
    #[allow(clippy::new_ret_no_self, reason = "the tests know it by this name")]
    fn new(script: &Script) -> Callers<Tokens> {
        Callers::of(script, Tokens::new(&script.options))
    }
}

fn generated() -> Vec<Script> {
    let gcra = json!({ "limit": 7, "perMs": 100, "burst": 4, "maxQueue": 6 });
    let window = json!({ "limit": 5, "perMs": 100, "kind": "slidingWindow", "maxQueue": 6 });
    let mut scripts = Vec::new();
    for (name, about, options) in [
        (
            "long-gcra",
            "A bucket and a line, with permits that come between two milliseconds.",
            gcra,
        ),
        ("long-sliding-window", "A window and a line.", window),
    ] {
        let mut draft = Draft::new(name, about, options, 0, Model::new);
        let mut rng = Rng::new(8);
        let (mut now, mut number) = (0, 0);
        while draft.script.steps.len() < 300 {
            let mut draw = |below: usize| (rng.unit() * below as f64) as usize;
            now += [0, 1, 4, 15][draw(4)] + if draw(40) == 0 { 250 } else { 0 };
            let permits = [1, 1, 1, 1, 1, 1, 2, 2, 3, 9][draw(10)];
            let mut step = json!({ "at": now, "do": "look" });
            match draw(30) {
                0 => {}
                1 => {
                    step["do"] = json!("hold");
                    step["forMs"] = json!(1 + draw(60));
                }
                2 => step["do"] = json!("release"),
                3 | 4 if !draft.model.line.is_empty() => {
                    // Who goes by itself at this time cannot leave any more.
                    let waits = draft.model.line.back().expect("somebody waits");
                    step["do"] = json!("leave");
                    step["call"] = json!(waits.call);
                }
                5..14 => {
                    step["do"] = json!("tryAcquire");
                    step["permits"] = json!(permits);
                }
                _ => {
                    number += 1;
                    step["do"] = json!("acquire");
                    step["call"] = json!(format!("c{number}"));
                    step["permits"] = json!(permits);
                    if draw(3) > 0 {
                        step["maxWaitMs"] = json!(10 + draw(90));
                    }
                }
            }
            draft.step(step);
        }
        scripts.push(draft.script);
    }
    scripts
}

vectors!("rate");
