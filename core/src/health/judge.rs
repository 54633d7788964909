//! What the state of the process does to an answer.

use super::verdict::{Kind, Reason, Verdict};
use crate::Instant;
use crate::fields::Checks;
use crate::options::{Problem, Rule};

/// From when on the state of the process speaks against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JudgeConfig {
    /// It is not ready once the event loop has not turned for so many ms. Default 1000; infinity:
    /// never.
    pub readiness_block_ms: f64,
    /// It does not live any more once the event loop has not turned for so many ms; not below
    /// `readiness_block_ms`. Default 60,000: a restart under load makes the load of the others
    /// higher. Infinity: never.
    pub liveness_block_ms: f64,
    /// It is not ready from this level of pressure on. Default infinity, never: what refuses a part
    /// of the work is better than what takes all instances out at once.
    pub readiness_level: f64,
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self {
            readiness_block_ms: 1_000.0,
            liveness_block_ms: 60_000.0,
            readiness_level: f64::INFINITY,
        }
    }
}

/// The same in plain values; what is left out has the default of [`JudgeConfig`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct JudgeOptions {
    /// [`JudgeConfig::readiness_block_ms`]; above 0.
    pub readiness_block_ms: Option<f64>,
    /// [`JudgeConfig::liveness_block_ms`]; not below `readiness_block_ms`.
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
        let readiness = self.readiness_block_ms.unwrap_or(default.readiness_block_ms);
        let liveness = self.liveness_block_ms.unwrap_or(default.liveness_block_ms.max(readiness));
        let level = self.readiness_level.unwrap_or(default.readiness_level);
        checks.limit(readiness > 0.0, "readinessBlockMs", Rule::Above, 0.0);
        let longer = liveness >= readiness;
        checks.between(longer, "livenessBlockMs", Rule::NotBelow, "readinessBlockMs");
        checks.limit(level > 0.0, "readinessLevel", Rule::Above, 0.0);
        JudgeConfig {
            readiness_block_ms: readiness,
            liveness_block_ms: liveness,
            readiness_level: level,
        }
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
        let limit = match kind {
            Kind::Liveness => self.liveness_block_ms,
            Kind::Readiness => self.readiness_block_ms,
            Kind::Startup => return verdict,
        };
        let pressed = matches!(kind, Kind::Readiness) && load.level >= self.readiness_level;
        let (reason, since) = match () {
            () if matches!(verdict.reason, Reason::Unrecoverable | Reason::Draining) => {
                return verdict;
            }
            () if load.block_ms >= limit => {
                (Reason::Blocked, Instant::from_millis(now.as_millis() - load.block_ms))
            }
            // Since when the pressure is so high is not known here.
            () if verdict.passing && pressed => (Reason::Pressure, now),
            () => return verdict,
        };
        Verdict { passing: false, reason, check: None, since, ..verdict }
    }
}
