//! What the vectors of all policies but the breaker have in common.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use seawall::Instant;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// One vector: see `vectors/README.md`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    pub name: String,
    pub about: String,
    #[serde(default)]
    pub options: Value,
    #[serde(default)]
    pub seed: u64,
    pub steps: Vec<Value>,
}

/// Who is put to the test.
pub trait Subject {
    /// What comes of a step, field by field.
    fn step(&mut self, step: &Step<'_>) -> Value;
}

/// A step, by the names of its fields.
pub struct Step<'a>(&'a Value);

impl<'a> Step<'a> {
    pub fn r#do(&self) -> &'a str {
        self.text("do").expect("something to do")
    }

    pub fn text(&self, field: &str) -> Option<&'a str> {
        self.0.get(field)?.as_str()
    }

    pub fn flag(&self, field: &str) -> Option<bool> {
        self.0.get(field)?.as_bool()
    }

    pub fn number(&self, field: &str) -> Option<f64> {
        self.0.get(field)?.as_f64()
    }

    pub fn count(&self, field: &str) -> u32 {
        self.number(field).unwrap_or(1.0) as u32
    }

    pub fn numbers(&self, field: &str) -> Vec<f64> {
        let list = self.0.get(field).and_then(Value::as_array).expect("a list");
        list.iter().filter_map(Value::as_f64).collect()
    }

    pub fn value(&self, field: &str) -> &'a Value {
        self.0.get(field).unwrap_or(&Value::Null)
    }

    /// Milliseconds.
    pub fn time(&self, field: &str) -> Option<Duration> {
        self.number(field).map(ms)
    }

    /// The name of the call.
    pub fn call(&self) -> String {
        self.text("call").expect("the call has a name").into()
    }

    pub fn at(&self) -> Instant {
        Instant::ZERO.after(self.time("at").expect("a time"))
    }
}

/// So many milliseconds, to the nanosecond.
pub fn ms(ms: f64) -> Duration {
    Duration::from_nanos((ms * 1e6).round() as u64)
}

/// The same as a number of milliseconds.
pub fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

/// The options of the crate from those of JavaScript, words being the numbers that stand for them.
pub fn options<T: DeserializeOwned>(options: &Value, words: &[(&str, Value)]) -> T {
    let mut options = options.clone();
    for value in options.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
        if let Some((_, number)) = words.iter().find(|(word, _)| value == word) {
            *value = number.clone();
        }
    }
    serde_json::from_value(options).expect("known options")
}

fn folder(policy: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(policy)
}

fn all(policy: &str) -> Vec<Script> {
    let files = std::fs::read_dir(folder(policy)).expect("the folder of the vectors");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a file");
        let script: Script = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(&*script.name));
        script
    };
    paths.into_iter().map(read).collect()
}

/// Replays all vectors of a policy.
pub fn check<S: Subject>(policy: &str, who: &str, subject: impl Fn(&Script) -> S) {
    let scripts = all(policy);
    assert!(!scripts.is_empty());
    for script in scripts {
        let mut subject = subject(&script);
        for (index, step) in script.steps.iter().enumerate() {
            let got = subject.step(&Step(step));
            let expect = step["expect"].as_object();
            for (field, want) in expect.into_iter().flatten() {
                let got = got.get(field).unwrap_or(&Value::Null);
                let (name, number) = (&script.name, index + 1);
                assert!(
                    same(want, got),
                    "{who}: {policy}/{name}, step {number} ({step}): {field} is {got}"
                );
            }
        }
    }
}

/// Times are compared to the nanosecond.
fn same(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::Array(want), Value::Array(got)) => {
            want.len() == got.len() && want.iter().zip(got).all(|(want, got)| same(want, got))
        }
        _ => match (want.as_f64(), got.as_f64()) {
            (Some(want), Some(got)) => (want - got).abs() < 1.5e-6,
            _ => want == got,
        },
    }
}

/// A vector under construction, whose answers are those of a model.
pub struct Draft<S> {
    pub script: Script,
    pub model: S,
}

impl<S: Subject> Draft<S> {
    pub fn new(
        name: &str,
        about: &str,
        options: Value,
        seed: u64,
        model: impl FnOnce(&Script) -> S,
    ) -> Self {
        let (name, about) = (name.into(), about.into());
        let script = Script { name, about, options, seed, steps: Vec::new() };
        Self { model: model(&script), script }
    }

    /// One more step; what the model answers.
    pub fn step(&mut self, mut step: Value) -> Value {
        let answer = self.model.step(&Step(&step));
        if answer.as_object().is_some_and(|fields| !fields.is_empty()) {
            step["expect"] = answer.clone();
        }
        self.script.steps.push(step);
        answer
    }
}

/// Compares generated vectors with those that are stored, or stores them.
pub fn up_to_date(policy: &str, generated: impl IntoIterator<Item = Script>) {
    for script in generated {
        let text = write(&script);
        let path = folder(policy).join(&script.name).with_extension("json");
        if std::env::var_os("SEAWALL_BLESS").is_some() {
            std::fs::write(&path, text).expect("a file");
            continue;
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        let name = script.name;
        assert!(stored == text, "{policy}/{name} has drifted; see why, then use SEAWALL_BLESS=1");
    }
}

/// A step a line, the time first.
fn write(script: &Script) -> String {
    let mut text = String::from("{\n");
    for (key, value) in [
        ("name", json!(script.name)),
        ("about", json!(script.about)),
        ("options", script.options.clone()),
        ("seed", json!(script.seed)),
    ] {
        writeln!(text, "  \"{key}\": {value},").expect("memory");
    }
    let line = |step: &Value| {
        let fields = step.as_object().expect("fields");
        let place = |key: &str| match key {
            "at" => 0,
            "do" => 1,
            "call" => 2,
            "expect" => 4,
            _ => 3,
        };
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by_key(|(key, _)| place(key));
        let fields = fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}"));
        format!("    {{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    let steps: Vec<_> = script.steps.iter().map(line).collect();
    write!(text, "  \"steps\": [\n{}\n  ]\n}}\n", steps.join(",\n")).expect("memory");
    text
}

/// The tests of a policy that has `Core`, `Model` and `generated`.
macro_rules! vectors {
    ($policy:literal) => {
        #[test]
        fn the_core_answers_every_vector() {
            $crate::script::check($policy, "core", Core::new);
        }

        #[test]
        fn the_model_answers_every_vector() {
            $crate::script::check($policy, "model", Model::new);
        }

        #[test]
        fn the_generated_vectors_are_up_to_date() {
            $crate::script::up_to_date($policy, generated());
        }
    };
}
