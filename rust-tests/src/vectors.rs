//! The decision vectors of breakers, as `vectors/README.md` describes them.

use std::path::PathBuf;
use std::time::Duration;

use seawall::Outcome;
use seawall::backoff::BackoffOptions;
use seawall::breaker::{BreakerConfig, BreakerOptions, Mode, Reason, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One scenario.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// The name of its file.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// The options, spelt as in JavaScript.
    pub options: Value,
    /// The seed.
    pub seed: u64,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One event and what must come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// What the clock shows, in ms.
    pub at: u64,
    /// What happens.
    pub r#do: Do,
    /// The name of the call that asks or ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The call took longer than the slow-call limit, as its times say too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub slow: bool,
    /// For how long the error asks to be left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_for_ms: Option<u64>,
    /// The mode to set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ModeName>,
    /// What is so afterwards.
    pub expect: Expect,
}

/// The events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it, and the README more")]
pub enum Do {
    Acquire,
    Success,
    Failure,
    Neutral,
    Drop,
    Reset,
    ForceOpen,
    Isolate,
    Release,
    SetMode,
    Look,
}

impl Do {
    /// How a call ended that ended so.
    #[must_use]
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Success => Some(Outcome::Success),
            Self::Failure => Some(Outcome::Failure),
            Self::Neutral | Self::Drop => Some(Outcome::Neutral),
            _ => None,
        }
    }
}

/// What is so after a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expect {
    /// After an `acquire`: `admitted` or `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// After a refusal: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonName>,
    /// After a refusal: when to ask again, in whole ms rounded up; absent where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The state.
    pub state: StateName,
    /// What the rule counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
}

/// The answer to `acquire`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Decision {
    Admitted,
    Rejected,
}

/// [`Reason`] as it is spelt in JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "see Reason")]
pub enum ReasonName {
    Open,
    Probing,
    Recovering,
    Isolated,
}

impl From<Reason> for ReasonName {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Open => Self::Open,
            Reason::Probing => Self::Probing,
            Reason::Recovering => Self::Recovering,
            Reason::Isolated => Self::Isolated,
            other => panic!("{other:?} has no name here"),
        }
    }
}

/// [`State`] as it is spelt in JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "see State")]
pub enum StateName {
    Closed,
    Open,
    HalfOpen,
    Recovering,
    Isolated,
}

impl From<State> for StateName {
    fn from(state: State) -> Self {
        match state {
            State::Closed => Self::Closed,
            State::Open => Self::Open,
            State::HalfOpen => Self::HalfOpen,
            State::Recovering => Self::Recovering,
            State::Isolated => Self::Isolated,
            other => panic!("{other:?} has no name here"),
        }
    }
}

/// [`Mode`] as it is spelt in JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "see Mode")]
pub enum ModeName {
    Enforce,
    DryRun,
    Disabled,
}

impl From<ModeName> for Mode {
    fn from(mode: ModeName) -> Self {
        match mode {
            ModeName::Enforce => Self::Enforce,
            ModeName::DryRun => Self::DryRun,
            ModeName::Disabled => Self::Disabled,
        }
    }
}

/// Whole milliseconds, rounded up.
#[must_use]
pub fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).expect("no test waits for so long")
}

/// Where the vectors lie.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/breaker")
}

/// The options that JavaScript would give, as the crate takes them.
///
/// # Panics
/// At options that are not spelt as in JavaScript or that the crate refuses.
#[must_use]
pub fn config(options: &Value) -> BreakerConfig {
    let options: JsOptions = serde_json::from_value(options.clone()).expect("known options");
    let window = options.window.unwrap_or_default();
    let half_open = options.half_open.unwrap_or_default();
    let reclose = options.reclose.unwrap_or_default();
    let flat = BreakerOptions {
        threshold: options.threshold,
        within_ms: options.within_ms,
        failure_rate: options.failure_rate,
        slow_call_rate: options.slow_call_rate,
        slow_call_ms: options.slow_call_ms,
        window_calls: window.calls,
        window_ms: window.ms,
        window_slices: window.slices,
        minimum_calls: options.minimum_calls,
        reset_time_ms: options.reset_time_ms,
        reset_backoff: options.reset_backoff.map(|list| BackoffOptions {
            strategy: Some(4),
            delays_ms: Some(list.delays_ms),
            ..BackoffOptions::default()
        }),
        permits: half_open.permits,
        success_rate: half_open.success_rate,
        lease_ms: half_open.lease_ms,
        reclose_shares: reclose.shares,
        reclose_calls: reclose.calls,
        reclose_step_ms: reclose.step_ms,
        mode: options.mode.map(|mode| Mode::from(mode) as u32),
    };
    flat.into_config().expect("valid options")
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct JsOptions {
    threshold: Option<f64>,
    within_ms: Option<f64>,
    failure_rate: Option<f64>,
    slow_call_rate: Option<f64>,
    slow_call_ms: Option<f64>,
    window: Option<JsWindow>,
    minimum_calls: Option<f64>,
    reset_time_ms: Option<f64>,
    reset_backoff: Option<JsList>,
    half_open: Option<JsHalfOpen>,
    reclose: Option<JsReclose>,
    mode: Option<ModeName>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JsWindow {
    calls: Option<f64>,
    ms: Option<f64>,
    slices: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct JsHalfOpen {
    permits: Option<f64>,
    success_rate: Option<f64>,
    lease_ms: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct JsReclose {
    shares: Option<Vec<f64>>,
    calls: Option<f64>,
    step_ms: Option<f64>,
}

/// The one schedule that the vectors use.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsList {
    #[serde(rename = "strategy")]
    _strategy: ListOnly,
    delays_ms: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ListOnly {
    List,
}
