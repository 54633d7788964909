//! Breakers: the machine, a caller that obeys its cell, and the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seawall::breaker::{CircuitBreaker, Machine, Reason, Settled};
use seawall::{Instant, Outcome, Rng};
use seawall_tests::breaker_model::{Ending, Model};
use seawall_tests::js_caller::JsCaller;
use seawall_tests::vectors::{Decision, Do, Expect, Step, Vector, config, folder, whole_millis};
use serde_json::{Value, json};

/// Who is put to the test.
trait Subject {
    type Call: Copy;
    fn acquire(&mut self, at: u64) -> Result<Self::Call, (Reason, Option<Duration>)>;
    fn settle(&mut self, call: Self::Call, ending: Ending, at: u64);
    /// Every event but calls.
    fn happen(&mut self, step: &Step);
    fn look(&mut self, at: u64) -> Expect;
}

/// What comes of `step`.
fn replay<S: Subject>(
    subject: &mut S,
    calls: &mut BTreeMap<String, S::Call>,
    step: &Step,
) -> Expect {
    let name = || step.call.clone().expect("the call has a name");
    let mut answer = None;
    match (step.r#do, step.r#do.outcome()) {
        (Do::Acquire, _) => match subject.acquire(step.at) {
            Ok(call) => {
                answer = Some((Decision::Admitted, None, None));
                calls.insert(name(), call);
            }
            Err((reason, retry_after)) => {
                answer = Some((Decision::Rejected, Some(reason.into()), retry_after));
            }
        },
        (_, Some(outcome)) => {
            let open_for = step.open_for_ms.map(Duration::from_millis);
            let call = calls.remove(&name()).expect("it is under way");
            subject.settle(call, Ending { outcome, slow: step.slow, open_for }, step.at);
        }
        _ => subject.happen(step),
    }
    let mut expect = subject.look(step.at);
    if let Some((decision, reason, retry_after)) = answer {
        expect.decision = Some(decision);
        expect.reason = reason;
        expect.retry_after_ms = retry_after.map(whole_millis);
    }
    expect
}

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

fn settled(ending: Ending) -> Settled {
    Settled { slow: ending.slow, open_for: ending.open_for, ..ending.outcome.into() }
}

fn seen(state: seawall::breaker::State, failures: u32) -> Expect {
    Expect {
        decision: None,
        reason: None,
        retry_after_ms: None,
        state: state.into(),
        failures: Some(failures),
    }
}

impl Subject for Machine {
    type Call = seawall::breaker::RawPermit;

    fn acquire(&mut self, now: u64) -> Result<Self::Call, (Reason, Option<Duration>)> {
        Self::acquire(self, at(now)).map_err(|refused| (refused.reason, refused.retry_after))
    }

    fn settle(&mut self, call: Self::Call, ending: Ending, now: u64) {
        self.record(call, settled(ending), at(now));
    }

    fn happen(&mut self, step: &Step) {
        let now = at(step.at);
        match step.r#do {
            Do::Reset => self.reset(now),
            Do::ForceOpen => self.force_open(now, 0.0),
            Do::Isolate => self.isolate(now),
            Do::Release => self.release(now),
            Do::SetMode => self.set_mode(step.mode.expect("a mode").into(), now),
            _ => {}
        }
    }

    fn look(&mut self, now: u64) -> Expect {
        let seen_now = self.explain(at(now));
        seen(seen_now.state, seen_now.counts.failures)
    }
}

/// A caller in JavaScript, which looks at its cell for the state and does not ask.
struct Js {
    caller: JsCaller,
    breaker: Arc<CircuitBreaker>,
}

impl Subject for Js {
    type Call = seawall_tests::js_caller::JsCall;

    fn acquire(&mut self, now: u64) -> Result<Self::Call, (Reason, Option<Duration>)> {
        let answer = self.caller.acquire(now as f64);
        answer.map_err(|refused| (refused.reason, refused.retry_after))
    }

    fn settle(&mut self, call: Self::Call, ending: Ending, now: u64) {
        self.caller.settle(call, settled(ending), now as f64);
    }

    fn happen(&mut self, step: &Step) {
        let now = at(step.at);
        match step.r#do {
            Do::Reset => self.breaker.reset(now),
            Do::ForceOpen => self.breaker.force_open(now, 0.0),
            Do::Isolate => self.breaker.isolate(now),
            Do::Release => self.breaker.release(now),
            Do::SetMode => self.breaker.set_mode(step.mode.expect("a mode").into(), now),
            _ => {}
        }
    }

    fn look(&mut self, _: u64) -> Expect {
        Expect { failures: None, ..seen(self.caller.state(), 0) }
    }
}

impl Subject for Model {
    type Call = seawall_tests::breaker_model::Ticket;

    fn acquire(&mut self, now: u64) -> Result<Self::Call, (Reason, Option<Duration>)> {
        let answer = Self::acquire(self, at(now).as_nanos());
        answer.map_err(|refused| (refused.reason, refused.retry_after))
    }

    fn settle(&mut self, call: Self::Call, ending: Ending, now: u64) {
        Self::settle(self, call, ending, at(now).as_nanos());
    }

    fn happen(&mut self, step: &Step) {
        let now = at(step.at).as_nanos();
        match step.r#do {
            Do::Reset => self.reset(now),
            Do::ForceOpen => self.force_open(now),
            Do::Isolate => self.isolate(now),
            Do::Release => self.release(now),
            Do::SetMode => self.set_mode(step.mode.expect("a mode").into(), now),
            _ => {}
        }
    }

    fn look(&mut self, now: u64) -> Expect {
        Self::look(self, at(now).as_nanos());
        seen(self.state(), self.counts().failures)
    }
}

fn check<S: Subject>(who: &str, vector: &Vector, mut subject: S) {
    let mut calls = BTreeMap::new();
    for (number, step) in vector.steps.iter().enumerate() {
        let mut got = replay(&mut subject, &mut calls, step);
        let mut want = step.expect.clone();
        if got.failures.is_none() || want.failures.is_none() {
            (got.failures, want.failures) = (None, None);
        }
        assert_eq!(got, want, "{who}: {} at step {number}: {step:?}", vector.name);
    }
}

fn read(path: &Path) -> Vector {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn all() -> Vec<Vector> {
    let files = std::fs::read_dir(folder()).expect("the folder of the vectors");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let vectors: Vec<_> = paths.iter().map(|path| read(path)).collect();
    for (vector, path) in vectors.iter().zip(paths) {
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(&*vector.name));
    }
    vectors
}

#[test]
fn the_machine_answers_every_vector() {
    let vectors = all();
    assert!(vectors.len() > 20);
    for vector in &vectors {
        let machine = Machine::new(config(&vector.options), vector.seed).expect("valid options");
        check("machine", vector, machine);
    }
}

#[test]
fn a_caller_on_its_cell_answers_every_vector() {
    for vector in &all() {
        let config = config(&vector.options);
        let breaker = Arc::new(CircuitBreaker::new(config, vector.seed).expect("valid options"));
        check("caller", vector, Js { caller: JsCaller::new(&breaker), breaker });
    }
}

#[test]
fn the_model_answers_every_vector() {
    for vector in &all() {
        check("model", vector, Model::new(config(&vector.options), vector.seed));
    }
}

#[test]
fn every_vector_is_something_javascript_can_do() {
    for Vector { name, options, steps, .. } in &all() {
        let slow_limit = options.get("slowCallMs").and_then(Value::as_f64);
        let mut begun = BTreeMap::new();
        let mut ended = BTreeSet::new();
        for step in steps {
            let call = step.call.as_deref();
            if step.r#do == Do::Acquire {
                assert!(begun.insert(call, step.at).is_none(), "{name}: a name twice");
            }
            let Some(outcome) = step.r#do.outcome() else { continue };
            assert!(ended.insert(call), "{name}: {call:?} ends twice");
            let lasted = step.at.saturating_sub(begun[&call]) as f64;
            // JavaScript measures for itself.
            assert_eq!(
                step.slow,
                slow_limit.is_some_and(|limit| lasted > limit),
                "{name}: {step:?}"
            );
            assert!(step.open_for_ms.is_none() || outcome == Outcome::Failure, "{name}: {step:?}");
        }
    }
}

#[test]
fn the_generated_vectors_are_up_to_date() {
    for (name, about, options, seed) in generated() {
        let steps = generate(&options, seed);
        let text = write(&Vector { name: name.into(), about: about.into(), options, seed, steps });
        let path = folder().join(name).with_extension("json");
        if std::env::var_os("SEAWALL_BLESS").is_some() {
            std::fs::write(&path, text).expect("a file");
            continue;
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == text, "{name} has drifted; look why, then run with SEAWALL_BLESS=1");
    }
}

fn generated() -> Vec<(&'static str, &'static str, Value, u64)> {
    vec![
        (
            "long-consecutive",
            "Failures in a row, two probes with a lease.",
            json!({
                "threshold": 3, "resetTimeMs": 50,
                "halfOpen": { "permits": 2, "successRate": 0.5, "leaseMs": 20 },
            }),
            11,
        ),
        (
            "long-failures-within",
            "Failures within a time.",
            json!({ "threshold": 4, "withinMs": 60, "resetTimeMs": 30 }),
            12,
        ),
        (
            "long-count-window",
            "Rates over the last calls, slow ones too.",
            json!({
                "failureRate": 0.4, "slowCallRate": 0.6, "slowCallMs": 15,
                "window": { "calls": 12 }, "minimumCalls": 6, "resetTimeMs": 40,
                "halfOpen": { "permits": 5, "successRate": 0.6 },
            }),
            13,
        ),
        (
            "long-time-window",
            "A rate over slices of time.",
            json!({
                "failureRate": 0.5, "window": { "ms": 100, "slices": 5 },
                "minimumCalls": 6, "resetTimeMs": 40,
            }),
            14,
        ),
        (
            "long-reclose",
            "A gradual re-close.",
            json!({
                "threshold": 2, "resetTimeMs": 20, "halfOpen": { "successRate": 0.75 },
                "reclose": { "shares": [0.1, 0.3, 0.65], "calls": 4, "stepMs": 120 },
            }),
            (1 << 53) - 1,
        ),
        (
            "long-dry-run",
            "A dry run, with the rate of a time window.",
            json!({
                "failureRate": 0.5, "window": { "ms": 50, "slices": 10 },
                "minimumCalls": 4, "resetTimeMs": 30, "mode": "dryRun",
            }),
            16,
        ),
    ]
}

/// Random events, with what the model makes of them.
fn generate(options: &Value, seed: u64) -> Vec<Step> {
    let mut rng = Rng::new(seed);
    let mut model = Model::new(config(options), seed);
    let slow_limit = options.get("slowCallMs").and_then(Value::as_u64);
    let mut calls = BTreeMap::new();
    let mut under_way: Vec<(String, u64)> = Vec::new();
    let (mut steps, mut now, mut holders) = (Vec::new(), 0, 0);
    while steps.len() < 400 {
        let mut draw = |below: usize| (rng.unit() * below as f64) as usize;
        now += [0, 0, 0, 1, 2, 5, 10, 30][draw(8)] * u64::from(draw(60) > 0)
            + u64::from(draw(60) == 0) * 200;
        let (mut call, mut slow, mut open_for_ms) = (None, false, None);
        let r#do = match draw(100) {
            0 => Do::Reset,
            1 => Do::ForceOpen,
            2 if holders < 2 => Do::Isolate,
            3..18 if holders > 0 => Do::Release,
            3 => Do::Look,
            4..56 => Do::Acquire,
            _ if under_way.is_empty() => continue,
            ending => {
                let (name, begun) = under_way.remove(draw(under_way.len()));
                slow = slow_limit.is_some_and(|limit| now - begun > limit);
                call = Some(name);
                // Weather changes: mostly good and mostly bad spells.
                let good = if now / 200 % 2 == 0 { 40 } else { 85 };
                match ending {
                    56..60 => Do::Neutral,
                    60..62 => Do::Drop,
                    _ if draw(100) < good => Do::Success,
                    _ => {
                        open_for_ms = (draw(30) == 0).then_some(25);
                        Do::Failure
                    }
                }
            }
        };
        holders = holders + i32::from(r#do == Do::Isolate) - i32::from(r#do == Do::Release);
        if r#do == Do::Acquire {
            call = Some(format!("c{}", steps.len()));
        }
        let expect = seen(model.state(), 0);
        let mut step = Step { at: now, r#do, call, slow, open_for_ms, mode: None, expect };
        step.expect = replay(&mut model, &mut calls, &step);
        if step.expect.decision == Some(Decision::Admitted) {
            under_way.push((step.call.clone().expect("a name"), now));
        }
        steps.push(step);
    }
    steps
}

/// A step a line.
fn write(vector: &Vector) -> String {
    let mut text = String::from("{\n");
    for (key, value) in [
        ("name", json!(vector.name)),
        ("about", json!(vector.about)),
        ("options", vector.options.clone()),
        ("seed", json!(vector.seed)),
    ] {
        writeln!(text, "  \"{key}\": {value},").expect("memory");
    }
    let steps: Vec<_> = vector.steps.iter().map(|step| format!("    {}", json!(step))).collect();
    write!(text, "  \"steps\": [\n{}\n  ]\n}}\n", steps.join(",\n")).expect("memory");
    text
}
