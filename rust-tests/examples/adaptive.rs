//! Prints the table in the documentation of `seawall::limit::adaptive`, the worst of five seeds each:
//! `cargo run --release -p seawall-tests --example adaptive`.
#![allow(missing_docs, reason = "an example has no users")]

use std::time::Duration;

use seawall::Instant;
use seawall::limit::adaptive::{AdaptiveConfig, AdaptiveLimiter, Algorithm};
use seawall::simulate::{Fixed, Phase, Report, Scenario, Service, run};

const SERVICE: Service = Service::Exponential(Duration::from_millis(50));
const SLOW: Service = Service::Exponential(Duration::from_millis(200));
const HUNG: Service = Service::Constant(Duration::from_secs(60));

fn phase(seconds: u64, rate: f64, service: Service) -> Phase {
    Phase::new(Duration::from_secs(seconds), rate, service)
}

/// Goodput of the capacity and p99 of `unloaded` ms in the last phase, and the limit throughout.
fn judge(name: &str, capacity: f64, unloaded: f64, runs: &[Vec<Report>]) {
    let last = |of: &dyn Fn(&Report) -> f64| -> Vec<f64> {
        runs.iter().map(|reports| of(reports.last().unwrap())).collect()
    };
    let goodput = last(&|report| 100.0 * report.goodput() / capacity);
    let p99 = last(&|report| report.latency(0.99).as_secs_f64() * 1000.0 / unloaded);
    let most = last(&|report| f64::from(report.greatest_limit));
    let end = last(&|report| f64::from(report.last_limit));
    let least = |numbers: &[f64]| numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = |numbers: &[f64]| numbers.iter().copied().fold(0.0, f64::max);
    println!(
        "| {name} | {:.0} % | {:.2} | {:.0} | {:.0} to {:.0} |",
        least(&goodput),
        greatest(&p99),
        greatest(&most),
        least(&end),
        greatest(&end)
    );
}

fn main() {
    let twenty = |phases| Scenario { servers: 20, timeout: None, phases, seed: 0 };
    let unloaded = |service| {
        let scenario = twenty(vec![phase(1000, 10.0, service)]);
        run(&scenario, &mut Fixed::new(u32::MAX))[0].latency(0.99).as_secs_f64() * 1000.0
    };
    let scenarios = [
        (
            "3 times the capacity, the first minute",
            twenty(vec![phase(60, 280.0, SERVICE), phase(60, 1200.0, SERVICE)]),
            400.0,
            unloaded(SERVICE),
        ),
        (
            "the ten minutes after that",
            twenty(vec![
                phase(60, 280.0, SERVICE),
                phase(60, 1200.0, SERVICE),
                phase(600, 1200.0, SERVICE),
            ]),
            400.0,
            unloaded(SERVICE),
        ),
        (
            "1.2 times the capacity, after ten minutes of it",
            twenty(vec![
                phase(60, 280.0, SERVICE),
                phase(600, 480.0, SERVICE),
                phase(300, 480.0, SERVICE),
            ]),
            400.0,
            unloaded(SERVICE),
        ),
        (
            "after slowing down to a quarter within ten minutes",
            twenty(vec![
                phase(60, 280.0, SERVICE),
                Phase { slows_to: 4.0, ..phase(600, 280.0, SERVICE) },
                phase(60, 280.0, SLOW),
                phase(600, 280.0, SLOW),
            ]),
            100.0,
            unloaded(SLOW),
        ),
        (
            "every call times out after a second, after a minute of service",
            Scenario {
                servers: 100_000,
                timeout: Some(Duration::from_secs(1)),
                ..twenty(vec![phase(60, 400.0, SERVICE), phase(600, 1000.0, HUNG)])
            },
            f64::INFINITY,
            f64::INFINITY,
        ),
        (
            "every call times out after a second, from the start",
            Scenario {
                servers: 100_000,
                timeout: Some(Duration::from_secs(1)),
                ..twenty(vec![phase(660, 1000.0, HUNG)])
            },
            f64::INFINITY,
            f64::INFINITY,
        ),
    ];
    for (name, scenario, capacity, unloaded) in scenarios {
        println!("{name}");
        for algorithm in
            [Algorithm::Correlated, Algorithm::Gradient2, Algorithm::Vegas, Algorithm::Aimd]
        {
            let runs: Vec<Vec<Report>> = (1..=5)
                .map(|seed| {
                    let config = AdaptiveConfig::with(algorithm);
                    let mut limiter = AdaptiveLimiter::new(config, seed, Instant::ZERO).unwrap();
                    run(&Scenario { seed, ..scenario.clone() }, &mut limiter)
                })
                .collect();
            judge(&format!("{algorithm:?}"), capacity, unloaded, &runs);
        }
    }
}
