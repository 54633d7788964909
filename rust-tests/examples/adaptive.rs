//! scratch
use seawall::limit::adaptive::*;
use seawall::simulate::*;
use std::time::Duration;
const S: fn(u64) -> Duration = Duration::from_secs;
fn main() {
    let exp = Service::Exponential(Duration::from_millis(50));
    let algorithms: Vec<Algorithm> = if std::env::var("ALL").is_ok() {
        vec![Algorithm::Correlated, Algorithm::Gradient2, Algorithm::Vegas, Algorithm::Aimd]
    } else {
        vec![Algorithm::Correlated]
    };
    for algorithm in algorithms {
        let scs = vec![
            (
                "3x",
                vec![60, 120, 600],
                Scenario {
                    servers: 20,
                    timeout: None,
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 280.0, exp),
                        Phase::new(S(120), 1200.0, exp),
                        Phase::new(S(600), 1200.0, exp),
                    ],
                },
            ),
            (
                "3x from 0.3",
                vec![60, 120, 600],
                Scenario {
                    servers: 20,
                    timeout: None,
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 120.0, exp),
                        Phase::new(S(120), 1200.0, exp),
                        Phase::new(S(600), 1200.0, exp),
                    ],
                },
            ),
            (
                "3x, const service",
                vec![],
                Scenario {
                    servers: 20,
                    timeout: None,
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 280.0, Service::Constant(Duration::from_millis(50))),
                        Phase::new(S(120), 1200.0, Service::Constant(Duration::from_millis(50))),
                        Phase::new(S(600), 1200.0, Service::Constant(Duration::from_millis(50))),
                    ],
                },
            ),
            (
                "1.2 overload 20 min",
                vec![],
                Scenario {
                    servers: 20,
                    timeout: None,
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 280.0, exp),
                        Phase::new(S(600), 480.0, exp),
                        Phase::new(S(600), 480.0, exp),
                    ],
                },
            ),
            (
                "1.02 overload 20 min",
                vec![],
                Scenario {
                    servers: 20,
                    timeout: None,
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 280.0, exp),
                        Phase::new(S(600), 408.0, exp),
                        Phase::new(S(600), 408.0, exp),
                    ],
                },
            ),
            (
                "100 servers 5000 rps (2.5x)",
                vec![],
                Scenario {
                    servers: 100,
                    timeout: None,
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 1200.0, exp),
                        Phase::new(S(120), 5000.0, exp),
                        Phase::new(S(120), 5000.0, exp),
                    ],
                },
            ),
            (
                "5 servers 300 rps (3x)",
                vec![],
                Scenario {
                    servers: 5,
                    timeout: None,
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 70.0, exp),
                        Phase::new(S(120), 300.0, exp),
                        Phase::new(S(600), 300.0, exp),
                    ],
                },
            ),
            (
                "const timeout from start",
                vec![],
                Scenario {
                    servers: 1000,
                    timeout: Some(S(1)),
                    seed: 3,
                    phases: vec![Phase::new(S(300), 100.0, Service::Constant(S(5)))],
                },
            ),
            (
                "const timeout after warm",
                vec![],
                Scenario {
                    servers: 1000,
                    timeout: Some(S(1)),
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 100.0, exp),
                        Phase::new(S(300), 100.0, Service::Constant(S(5))),
                    ],
                },
            ),
            (
                "slow baseline x4 in 10 min, 0.7 load",
                vec![],
                Scenario {
                    servers: 20,
                    timeout: None,
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 280.0, exp),
                        Phase { slows_to: 4.0, ..Phase::new(S(600), 280.0, exp) },
                        Phase::new(S(600), 280.0, Service::Exponential(Duration::from_millis(200))),
                    ],
                },
            ),
            (
                "slow baseline sudden x4, 0.7 load, back",
                vec![],
                Scenario {
                    servers: 20,
                    timeout: None,
                    seed: 3,
                    phases: vec![
                        Phase::new(S(60), 280.0, exp),
                        Phase::new(S(600), 280.0, Service::Exponential(Duration::from_millis(200))),
                        Phase::new(S(600), 280.0, exp),
                    ],
                },
            ),
        ];
        for (name, _, sc) in scs {
            println!("{algorithm:?} {name}");
            for seed in 1..=3 {
                let sc = Scenario { seed, ..sc.clone() };
                let mut l = AdaptiveLimiter::new(
                    AdaptiveConfig::with(algorithm),
                    1,
                    seawall::Instant::ZERO,
                )
                .unwrap();
                let r = run(&sc, &mut l);
                for r in &r {
                    print!(
                        "   [put {:5.1} fail {} p50 {:4} p99 {:4} lim {}..{} last {}] ",
                        r.goodput(),
                        r.failed,
                        r.latency(0.5).as_millis(),
                        r.latency(0.99).as_millis(),
                        r.least_limit,
                        r.greatest_limit,
                        r.last_limit
                    );
                }
                println!();
            }
        }
    }
}
