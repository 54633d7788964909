//! What one server answers.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, ThreadId};
use std::time;

use seawall::Instant;
use seawall::health::{JudgeConfig, Kind, Load, Reason, SharedHealth, Verdict};
use seawall::pressure::{Monitor, Signal, Signals, board};

use super::connection::HEAD;
use super::head::Method;
use super::text::{key, number, quoted, word};
use super::{lock, prometheus};
use crate::native::routes;
use crate::native::sampler;

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Probe(Kind),
    Metrics,
}

impl Route {
    pub(super) fn from_code(code: f64) -> Self {
        if code == 3.0 { Self::Metrics } else { Self::Probe(Kind::from_code(code as u32)) }
    }
}

/// When JavaScript last turned, and how often it says so, both in ms as bits: the beginning of a
/// timer that cannot run is all that is known of a loop nobody hooks.
#[derive(Debug)]
#[repr(C, align(8))]
pub(super) struct Beat {
    turned: AtomicU64,
    every: AtomicU64,
}

/// A check in words.
pub(super) struct Label {
    pub(super) name: String,
    pub(super) message: String,
}

/// What JavaScript says in words.
#[derive(Default)]
pub(super) struct Labels {
    pub(super) checks: BTreeMap<u32, Label>,
    pub(super) unrecoverable: String,
}

/// What has happened at a server.
#[derive(Debug, Default)]
pub(super) struct Counts {
    open: AtomicU64,
    accepted: AtomicU64,
    displaced: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    pub(super) fn opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn displaced(&self) {
        self.displaced.fetch_add(1, Ordering::Relaxed);
    }

    /// Open, accepted, displaced, answered, refused.
    pub(super) fn to_numbers(&self) -> [f64; 5] {
        [&self.open, &self.accepted, &self.displaced, &self.answered, &self.refused]
            .map(|count| count.load(Ordering::Relaxed) as f64)
    }
}

/// A server without its sockets.
pub(super) struct Service {
    address: String,
    routes: Vec<(String, Route)>,
    judge: JudgeConfig,
    details: bool,
    health: Option<Arc<SharedHealth>>,
    monitor: Option<Weak<Monitor>>,
    beat: Arc<Beat>,
    labels: Mutex<Labels>,
    counts: Counts,
    /// The clock here and in JavaScript at one moment.
    started: (time::Instant, f64),
    /// Whose loop it tells of.
    thread: ThreadId,
}

/// What is known at one moment.
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) block_ms: f64,
    pub(super) level: f64,
    pub(super) pressure: f64,
    pub(super) signals: Signals,
    /// The last route entered, where the loop is watched.
    pub(super) route: routes::Route,
}

/// The words of `npm/src/pressure/explain.ts`.
const LEVELS: [&str; 5] = ["normal", "elevated", "high", "severe", "full"];

impl Service {
    pub(super) fn new(
        address: String,
        routes: Vec<(String, Route)>,
        judge: JudgeConfig,
        details: bool,
        (health, monitor): (Option<Arc<SharedHealth>>, Option<Arc<Monitor>>),
        now_ms: f64,
    ) -> Self {
        let beat = Beat { turned: AtomicU64::new(f64::NAN.to_bits()), every: AtomicU64::new(0) };
        Self {
            address,
            routes,
            judge,
            details,
            health,
            monitor: monitor.as_ref().map(Arc::downgrade),
            beat: Arc::new(beat),
            labels: Mutex::default(),
            counts: Counts::default(),
            started: (clock(), now_ms),
            thread: thread::current().id(),
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn beat(&self) -> Arc<Beat> {
        Arc::clone(&self.beat)
    }

    pub(super) fn describe(&self, labels: Labels) {
        *lock(&self.labels) = labels;
    }

    pub(super) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The present of JavaScript, and what is known of its loop.
    fn now(&self) -> Now {
        let (started, now_ms) = self.started;
        let now_ms = now_ms + clock().duration_since(started).as_secs_f64() * 1000.0;
        let read = |word: &AtomicU64| f64::from_bits(word.load(Ordering::Acquire));
        // NaN before the first turn, and stays so.
        let late = now_ms - read(&self.beat.turned) - read(&self.beat.every);
        let mut now = Now {
            at: Instant::from_millis(now_ms),
            block_ms: if late.is_nan() { late } else { late.max(0.0) },
            level: f64::NAN,
            pressure: f64::NAN,
            signals: Signals::default(),
            route: routes::Route::default(),
        };
        // One that was disposed of is not asked: it says for ever what it said last.
        let monitor = self.monitor.as_ref().and_then(Weak::upgrade);
        if let Some(monitor) = &monitor {
            let words = monitor.board();
            now.level = words.get(board::LEVEL);
            now.pressure = words.get(board::PRESSURE);
            now.signals = Signals(std::array::from_fn(|place: usize| {
                words.get(board::SIGNALS_AT.saturating_add(place))
            }));
        }
        let told = now.signals.get(Signal::Block).unwrap_or(f64::NAN);
        let Some(current) = sampler::current(self.thread) else {
            // A number wins over none; the beat knows of a block that a pulse cannot see.
            now.block_ms = now.block_ms.max(told);
            return now;
        };
        let age = Instant::from(current.age).as_millis();
        // What the monitor knows of this loop is as old as the last look at it. One that is told what
        // others measured knows more.
        let is_older = monitor.is_none_or(|monitor| current.is_seen_by(&monitor));
        now.block_ms = if is_older { age } else { age.max(told) };
        for (known, live) in now.signals.0.iter_mut().zip(current.signals.0) {
            if known.is_nan() || is_older && !live.is_nan() {
                *known = live;
            }
        }
        now.route = current.route();
        now
    }

    /// The answer to a question; without checks it is yes.
    fn verdict(&self, kind: Kind, now: &Now) -> Verdict {
        let none = Verdict {
            passing: true,
            reason: Reason::Passing,
            check: None,
            since: Instant::from_millis(self.started.1),
            until: Instant::from_nanos(u64::MAX),
            ages: None,
        };
        let health = self.health.as_ref();
        let verdict = health.map_or(none, |health| health.block().verdict(kind, now.at));
        self.judge.judge(kind, verdict, Load { block_ms: now.block_ms, level: now.level }, now.at)
    }

    /// The whole answer to a request.
    pub(super) fn answer(&self, method: Method, path: &str, close: bool) -> Vec<u8> {
        self.counts.answered.fetch_add(1, Ordering::Relaxed);
        let route = self.routes.iter().find(|(known, _)| known == path).map(|(_, route)| *route);
        let (status, kind, body) = match (method, route) {
            (Method::Other, _) => (405, "text/plain", String::new()),
            (_, None) => (404, "text/plain", String::from("not found\n")),
            (_, Some(Route::Probe(kind))) => {
                let now = self.now();
                let verdict = self.verdict(kind, &now);
                let status = if verdict.passing { 200 } else { 503 };
                (status, "application/json", self.body(kind, verdict, &now))
            }
            (_, Some(Route::Metrics)) => {
                let now = self.now();
                let verdicts = Kind::ALL.map(|kind| (kind, self.verdict(kind, &now).passing));
                let body = prometheus::render(&now, &verdicts, &self.states(&now), self.counts());
                (200, "text/plain; version=0.0.4; charset=utf-8", body)
            }
        };
        respond(status, kind, &body, method == Method::Head, close)
    }

    /// The answer to what is no request.
    pub(super) fn refuse(&self, status: u16) -> Vec<u8> {
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        respond(status, "text/plain", "", false, true)
    }

    /// Each check by name, with its kind, its reason, its age and its message.
    fn states(&self, now: &Now) -> Vec<State> {
        let Some(health) = &self.health else { return Vec::new() };
        let labels = lock(&self.labels);
        let ago = |time: Instant| now.at.since(time).as_secs_f64() * 1000.0;
        health.read(|set| {
            set.watches()
                .filter_map(|(id, watch)| {
                    let label = labels.checks.get(&id)?;
                    Some(State {
                        id,
                        name: label.name.clone(),
                        message: label.message.clone(),
                        kind: watch.kind(),
                        reason: watch.reason(now.at),
                        for_ms: ago(watch.since(now.at)),
                        age_ms: watch.heard().map_or(f64::NAN, ago),
                        running_ms: watch.began().map_or(f64::NAN, ago),
                    })
                })
                .collect()
        })
    }

    fn body(&self, kind: Kind, verdict: Verdict, now: &Now) -> String {
        let states = self.states(now);
        let check = verdict.check.and_then(|id| states.iter().find(|state| state.id == id));
        let mut out = String::with_capacity(512);
        out.push_str("{\"status\":");
        quoted(&mut out, status_word(verdict.passing));
        word(&mut out, "probe", kind.word());
        word(&mut out, "reason", verdict.reason.word());
        number(&mut out, "forMs", now.at.since(verdict.since).as_secs_f64() * 1000.0);
        if let Some(check) = check {
            word(&mut out, "check", &check.name);
        }
        if now.block_ms.is_finite() {
            number(&mut out, "blockedMs", now.block_ms);
        }
        if let Some(level) = LEVELS.get(now.level as usize).filter(|_| now.level >= 0.0) {
            word(&mut out, "pressure", level);
        }
        if self.details {
            let message = match verdict.reason {
                Reason::Unrecoverable => lock(&self.labels).unrecoverable.clone(),
                _ => check.map(|check| check.message.clone()).unwrap_or_default(),
            };
            if !message.is_empty() {
                word(&mut out, "message", &message);
            }
            // Calm loops have a last route too, which tells nothing.
            if verdict.reason == Reason::Blocked && !now.route.name.is_empty() {
                word(&mut out, "route", &now.route.name);
            }
            key(&mut out, "checks");
            out.push('[');
            for (index, state) in states.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                state.write(&mut out);
            }
            out.push(']');
        }
        out.push_str("}\n");
        out
    }
}

/// One check at one moment.
pub(super) struct State {
    id: u32,
    pub(super) name: String,
    message: String,
    pub(super) kind: Kind,
    pub(super) reason: Reason,
    for_ms: f64,
    pub(super) age_ms: f64,
    running_ms: f64,
}

impl State {
    fn write(&self, out: &mut String) {
        out.push_str("{\"name\":");
        quoted(out, &self.name);
        word(out, "kind", self.kind.word());
        word(out, "status", status_word(self.reason == Reason::Passing));
        word(out, "reason", self.reason.word());
        number(out, "forMs", self.for_ms);
        number(out, "ageMs", self.age_ms);
        number(out, "runningMs", self.running_ms);
        if !self.message.is_empty() {
            word(out, "message", &self.message);
        }
        out.push('}');
    }
}

const fn status_word(passing: bool) -> &'static str {
    if passing { "pass" } else { "fail" }
}

fn respond(status: u16, kind: &str, body: &str, head: bool, close: bool) -> Vec<u8> {
    let phrase = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    };
    let mut out = String::with_capacity(192 + body.len());
    let length = body.len();
    let _ = write!(
        out,
        "HTTP/1.1 {status} {phrase}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\n"
    );
    if status == 405 {
        out.push_str("allow: GET, HEAD\r\n");
    }
    if close {
        out.push_str("connection: close\r\n");
    } else {
        // Without, a client would send on a connection that is just being closed.
        let _ = write!(out, "keep-alive: timeout={}\r\n", HEAD.as_secs());
    }
    out.push_str("\r\n");
    if !head {
        out.push_str(body);
    }
    out.into_bytes()
}

#[allow(clippy::disallowed_methods, reason = "this is not core: a thread of its own has a clock")]
pub(super) fn clock() -> time::Instant {
    time::Instant::now()
}
