//! What the state of the process does to an answer.

use core::time::Duration;

use super::verdict::{Kind, Reason, Verdict};
use crate::Instant;
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// From when on the state of the process speaks against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JudgeConfig {
    /// It is not ready once the event loop has not turned for so long. Default 1 s;
    /// [`Duration::MAX`]: never.
    pub readiness_block: Duration,
    /// It does not live any more once the event loop has not turned for so long; not below
    /// `readiness_block`. Default 60 s: a restart under load makes the load of the others higher.
    /// [`Duration::MAX`]: never.
    pub liveness_block: Duration,
    /// It is not ready from this level of pressure on. Default infinity, never: what refuses a part
    /// of the work is better than what takes all instances out at once.
    pub readiness_level: f64,
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self {
            readiness_block: Duration::from_secs(1),
            liveness_block: Duration::from_secs(60),
            readiness_level: f64::INFINITY,
        }
    }
}

/// The same in plain values; what is left out has the default of [`JudgeConfig`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct JudgeOptions {
    /// [`JudgeConfig::readiness_block`] in ms; above 0.
    pub readiness_block_ms: Option<f64>,
    /// [`JudgeConfig::liveness_block`] in ms; not below `readiness_block_ms`.
    pub liveness_block_ms: Option<f64>,
    /// [`JudgeConfig::readiness_level`]; above 0.
    pub readiness_level: Option<f64>,
}

impl JudgeOptions {
    /// What they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn into_config(self) -> Result<JudgeConfig, Problem> {
        let mut checks = Checks::new();
        let config = self.make(&mut checks);
        checks.finish(config)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(&self, checks: &mut Checks) -> JudgeConfig {
        let default = JudgeConfig::default();
        let readiness_block =
            checks.positive("readinessBlockMs", self.readiness_block_ms, default.readiness_block);
        let liveness_block = checks.positive(
            "livenessBlockMs",
            self.liveness_block_ms,
            default.liveness_block.max(readiness_block),
        );
        let longer = liveness_block >= readiness_block;
        checks.between(longer, "livenessBlockMs", Rule::NotBelow, "readinessBlockMs");
        let readiness_level = self.readiness_level.unwrap_or(default.readiness_level);
        checks.limit(readiness_level > 0.0, "readinessLevel", Rule::Above, 0.0);
        JudgeConfig { readiness_block, liveness_block, readiness_level }
    }
}

/// The state of the process as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// For how many ms the event loop has not turned; NaN: not known.
    pub block_ms: f64,
    /// The level of pressure; NaN: not known.
    pub level: f64,
}

impl JudgeConfig {
    /// The answer of the checks, seen in the light of `load` at `now`.
    ///
    /// A start-up may block: it is not asked here. A process that was said to drain or not to
    /// recover stays so for that reason. A blocked event loop comes before a check that is too old
    /// because of it.
    #[must_use]
    pub fn judge(&self, kind: Kind, verdict: Verdict, load: Load, now: Instant) -> Verdict {
        let verdict = verdict.at(now);
        let block = Instant::from_millis(load.block_ms).since(Instant::ZERO);
        let limit = match kind {
            Kind::Liveness => self.liveness_block,
            Kind::Readiness => self.readiness_block,
            Kind::Startup => return verdict,
        };
        let said = matches!(verdict.reason, Reason::Unrecoverable | Reason::Draining);
        // Since when the pressure is so high is not known here.
        let ready = matches!(kind, Kind::Readiness);
        let (reason, since) = match () {
            () if said => return verdict,
            () if block >= limit => {
                let since = now.as_nanos().saturating_sub(crate::time::nanos(block));
                (Reason::Blocked, Instant::from_nanos(since))
            }
            () if verdict.passing && ready && load.level >= self.readiness_level => {
                (Reason::Pressure, now)
            }
            () => return verdict,
        };
        Verdict { passing: false, reason, check: None, since, ..verdict }
    }
}
