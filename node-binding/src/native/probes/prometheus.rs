//! Signals and verdicts in the text format of Prometheus (version 0.0.4).

use std::fmt::Write;

use seawall::health::{Kind, Reason};

use super::service::{Counts, Now, State};
use super::text::quoted;

/// A metric with one value.
fn one(out: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    head(out, name, kind, help);
    let _ = writeln!(out, "{name} {}", Value(value));
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A number as Prometheus spells it.
pub(super) struct Value(pub(super) f64);

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            value if value == f64::INFINITY => f.write_str("+Inf"),
            value if value == f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}

/// All metrics. What is not known is left out.
pub(super) fn render(
    now: &Now,
    verdicts: &[(Kind, bool)],
    states: &[State],
    counts: &Counts,
) -> String {
    let mut out = String::with_capacity(2048);
    if now.block_ms.is_finite() {
        one(
            &mut out,
            "seawall_event_loop_blocked_seconds",
            "gauge",
            "For how long the event loop has not turned until now.",
            now.block_ms / 1000.0,
        );
    }
    let name = "seawall_health_passing";
    head(&mut out, name, "gauge", "Whether a probe is answered with yes (1) or no (0).");
    for (kind, passing) in verdicts {
        let value = u8::from(*passing);
        let _ = writeln!(out, "{name}{{probe=\"{}\"}} {value}", kind.word());
    }
    checks(
        &mut out,
        states,
        "seawall_health_check_passing",
        "Whether a health check counts as well (1) or not (0).",
        |state| f64::from(u8::from(state.reason == Reason::Passing)),
    );
    checks(
        &mut out,
        states,
        "seawall_health_check_age_seconds",
        "How long ago the last result of a health check came; NaN before the first.",
        |state| state.age_ms / 1000.0,
    );
    let [open, accepted, displaced, answered, refused] = counts.to_numbers();
    one(
        &mut out,
        "seawall_probe_connections",
        "gauge",
        "Connections to the probe server that are open.",
        open,
    );
    for (name, help, value) in [
        ("seawall_probe_connections_total", "Connections the probe server accepted.", accepted),
        (
            "seawall_probe_connections_displaced_total",
            "Connections the probe server closed to make room for others.",
            displaced,
        ),
        ("seawall_probe_requests_total", "Requests the probe server answered.", answered),
        ("seawall_probe_refused_total", "What the probe server refused as no request.", refused),
    ] {
        one(&mut out, name, "counter", help, value);
    }
    out
}

fn checks(
    out: &mut String,
    states: &[State],
    name: &str,
    help: &str,
    value: impl Fn(&State) -> f64,
) {
    if states.is_empty() {
        return;
    }
    head(out, name, "gauge", help);
    for state in states {
        let _ = write!(out, "{name}{{check=");
        quoted(out, &state.name);
        let _ = writeln!(out, ",kind=\"{}\"}} {}", state.kind.word(), Value(value(state)));
    }
}
