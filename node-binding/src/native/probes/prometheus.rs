//! Signals and verdicts in the text format of Prometheus (version 0.0.4).

use std::fmt::Write;

use seawall::health::{Kind, Reason};

use seawall::pressure::Signal;

use super::service::{Counts, Now, State};

/// Milliseconds in a second.
const MS: f64 = 1000.0;

/// The signals, each with its name, what it is divided by, and what it is.
const SIGNALS: [(Signal, &str, f64, &str); 16] = [
    (
        Signal::DelayP50,
        "seawall_event_loop_delay_p50_seconds",
        MS,
        "Median of the delays of the event loop over the last second.",
    ),
    (
        Signal::DelayP99,
        "seawall_event_loop_delay_p99_seconds",
        MS,
        "99th percentile of the delays of the event loop over the last second.",
    ),
    (
        Signal::DelayMax,
        "seawall_event_loop_delay_max_seconds",
        MS,
        "The longest delay of the event loop over the last second.",
    ),
    (
        Signal::Utilization,
        "seawall_event_loop_utilization_ratio",
        1.0,
        "Which part of the last second the event loop worked.",
    ),
    (
        Signal::UtilizationSmooth,
        "seawall_event_loop_utilization_smoothed_ratio",
        1.0,
        "Which part of the time the event loop worked, smoothed over ten seconds.",
    ),
    (Signal::HeapUsed, "seawall_heap_used_bytes", 1.0, "The JavaScript heap in use."),
    (Signal::HeapLimit, "seawall_heap_limit_bytes", 1.0, "To what the JavaScript heap may grow."),
    (
        Signal::Rss,
        "seawall_process_resident_memory_bytes",
        1.0,
        "Memory of the process that is resident.",
    ),
    (
        Signal::MemoryUsed,
        "seawall_memory_used_bytes",
        1.0,
        "Memory that counts against the limit of the container.",
    ),
    (
        Signal::MemoryLimit,
        "seawall_memory_limit_bytes",
        1.0,
        "The limit of memory of the container, or of the machine.",
    ),
    (
        Signal::CpuThrottled,
        "seawall_cpu_throttled_ratio",
        1.0,
        "Which part of the last scheduler periods the container was throttled in.",
    ),
    (
        Signal::CpuStall,
        "seawall_cpu_stall_ratio",
        1.0,
        "Which part of the time some task waited for a processor.",
    ),
    (
        Signal::MemoryStall,
        "seawall_memory_stall_ratio",
        1.0,
        "Which part of the time all tasks waited for memory.",
    ),
    (
        Signal::IoStall,
        "seawall_io_stall_ratio",
        1.0,
        "Which part of the time all tasks waited for disks.",
    ),
    (Signal::InFlight, "seawall_requests_in_flight", 1.0, "Requests under way."),
    (
        Signal::Queue,
        "seawall_request_queue_seconds",
        MS,
        "How long requests waited before they were begun.",
    ),
];

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
    for (signal, name, scale, help) in SIGNALS {
        if let Some(value) = now.signals.get(signal) {
            one(&mut out, name, "gauge", help, value / scale);
        }
    }
    if now.pressure.is_finite() {
        let help = "How much pressure the process is under, from 0 to 1.";
        one(&mut out, "seawall_pressure_ratio", "gauge", help, now.pressure);
        let help = "The level of pressure, from 0 (normal) to 4 (full).";
        one(&mut out, "seawall_pressure_level", "gauge", help, now.level);
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
        label(out, &state.name);
        let _ = writeln!(out, ",kind=\"{}\"}} {}", state.kind.word(), Value(value(state)));
    }
}

/// Adds the value of a label. There are three escapes; Prometheus refuses all metrics for a fourth.
fn label(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            letter => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_no_escapes_but_those_of_the_format() {
        let mut out = String::new();
        label(&mut out, "a\t\"b\"\\\n\u{1}");
        assert_eq!(out, "\"a\t\\\"b\\\"\\\\\\n\u{1}\"");
    }
}
