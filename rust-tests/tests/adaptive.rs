//! Adaptive limits: what they reach in simulation, and what must hold whatever happens.

use std::time::Duration;

use proptest::prelude::*;
use seawall::limit::adaptive::{
    AdaptiveConfig, AdaptiveLimiter, AdaptiveOptions, Algorithm, Change, MOST_SAMPLES,
};
use seawall::simulate::{Fixed, Phase, Report, Scenario, Service, run};
use seawall::{Instant, Outcome};
use seawall_tests::cases;

const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Correlated, Algorithm::Gradient2, Algorithm::Vegas, Algorithm::Aimd];

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limiter(config: AdaptiveConfig) -> AdaptiveLimiter {
    AdaptiveLimiter::new(config, 1, Instant::ZERO).unwrap()
}

fn simulate(scenario: &Scenario) -> Vec<Report> {
    run(scenario, &mut limiter(AdaptiveConfig::default()))
}

/// 20 servers, 50 ms exponential: a capacity of 400 calls a second.
const SERVICE: Service = Service::Exponential(ms(50));

fn twenty_servers(seed: u64, phases: Vec<Phase>) -> Scenario {
    Scenario { servers: 20, timeout: None, phases, seed }
}

/// The 99th percentile where nobody waits.
fn unloaded_p99(seed: u64) -> f64 {
    let alone = twenty_servers(seed, vec![Phase::new(seconds(100), 40.0, SERVICE)]);
    run(&alone, &mut Fixed::new(u32::MAX))[0].latency(0.99).as_secs_f64()
}

#[test]
fn three_times_the_capacity_leaves_the_capacity_and_the_latency() {
    for seed in 1..=5 {
        // A warm-up at a third, at seven tenths of the capacity and at all of it.
        for load in [0.3, 0.7, 1.0] {
            let phases = vec![
                Phase::new(seconds(60), 400.0 * load, SERVICE),
                Phase::new(seconds(60), 1200.0, SERVICE),
                Phase::new(seconds(120), 1200.0, SERVICE),
            ];
            let reports = simulate(&twenty_servers(seed, phases));
            for report in &reports[1..] {
                let goodput = report.goodput() / 400.0;
                let p99 = report.latency(0.99).as_secs_f64() / unloaded_p99(seed);
                assert!(goodput >= 0.9, "seed {seed}, load {load}: goodput {goodput}");
                assert!(p99 <= 2.5, "seed {seed}, load {load}: p99 {p99} times the unloaded one");
            }
        }
    }
}

#[test]
fn without_a_limit_latency_grows_without_end() {
    let phases = vec![Phase::new(seconds(60), 1200.0, SERVICE)];
    let report = &run(&twenty_servers(1, phases), &mut Fixed::new(u32::MAX))[0];
    assert!(report.latency(0.99) > seconds(10), "the simulation would prove nothing");
}

#[test]
fn lasting_overload_of_a_fifth_does_not_ratchet() {
    for seed in 1..=3 {
        let phases = vec![
            Phase::new(seconds(60), 280.0, SERVICE),
            Phase::new(seconds(300), 480.0, SERVICE),
            Phase::new(seconds(120), 480.0, SERVICE),
        ];
        let reports = simulate(&twenty_servers(seed, phases));
        let last = &reports[2];
        assert!(last.greatest_limit <= 80, "seed {seed}: {last:?}", last = last.greatest_limit);
        assert!(last.goodput() >= 360.0, "seed {seed}: {}", last.goodput());
    }
}

/// Netflix concurrency-limits #137.
#[test]
fn a_constant_time_out_does_not_grow_the_limit() {
    let hung = Service::Constant(seconds(60));
    for seed in 1..=3 {
        let from_the_start = Scenario {
            servers: 100_000,
            timeout: Some(seconds(1)),
            phases: vec![Phase::new(seconds(120), 100.0, hung)],
            seed,
        };
        let reports = simulate(&from_the_start);
        assert!(reports[0].failed > 1000 && reports[0].succeeded == 0);
        assert!(reports[0].greatest_limit <= 20, "seed {seed}: {}", reports[0].greatest_limit);

        let phases = vec![
            Phase::new(seconds(60), 100.0, SERVICE),
            Phase::new(seconds(10), 100.0, hung),
            Phase::new(seconds(200), 100.0, hung),
        ];
        let back =
            [Phase::new(seconds(60), 100.0, SERVICE), Phase::new(seconds(60), 100.0, SERVICE)];
        let after_a_minute = Scenario { phases, ..from_the_start };
        let mut limiter = limiter(AdaptiveConfig::default());
        let reports = run(&after_a_minute, &mut limiter);
        let [before, after] = [reports[0].last_limit, reports[2].greatest_limit];
        assert!(after <= before, "seed {seed}: from {before} to {after}");
        assert!(reports[2].last_limit < before / 2, "seed {seed}: {}", reports[2].last_limit);
        assert_eq!(limiter.explain(Instant::ZERO).change, Change::Steady);

        let phases = after_a_minute.phases.iter().chain(&back).copied().collect();
        let reports = simulate(&Scenario { phases, ..after_a_minute });
        assert!(reports[4].goodput() >= 90.0, "seed {seed}: not back, {}", reports[4].goodput());
    }
}

/// envoy #38338: a baseline that follows sustained degradation lets the limit grow with it.
#[test]
fn a_slow_baseline_does_not_ratchet_the_limit_up() {
    for seed in 1..=3 {
        let phases = vec![
            Phase::new(seconds(60), 280.0, SERVICE),
            // Four times slower in five minutes: the capacity sinks to 100 a second.
            Phase { slows_to: 4.0, ..Phase::new(seconds(300), 280.0, SERVICE) },
            Phase::new(seconds(60), 280.0, Service::Exponential(ms(200))),
            Phase::new(seconds(300), 280.0, Service::Exponential(ms(200))),
        ];
        let reports = simulate(&twenty_servers(seed, phases));
        assert!(reports[1].greatest_limit <= 100, "seed {seed}: {}", reports[1].greatest_limit);
        let last = &reports[3];
        assert!(last.greatest_limit <= 60, "seed {seed}: {}", last.greatest_limit);
        assert!(last.goodput() >= 90.0, "seed {seed}: {}", last.goodput());
        let p99 = last.latency(0.99).as_secs_f64();
        assert!(p99 <= 2.5 * 4.0 * unloaded_p99(seed), "seed {seed}: {p99}");
    }
}

#[test]
fn the_limit_comes_back_with_the_capacity() {
    let phases = vec![
        Phase::new(seconds(60), 280.0, SERVICE),
        Phase::new(seconds(120), 280.0, Service::Exponential(ms(200))),
        Phase::new(seconds(120), 280.0, SERVICE),
        Phase::new(seconds(60), 280.0, SERVICE),
    ];
    let reports = simulate(&twenty_servers(2, phases));
    assert!(reports[1].goodput() >= 80.0);
    assert!(reports[3].goodput() >= 270.0, "{}", reports[3].goodput());
}

#[test]
fn a_side_with_more_servers_gets_more_calls() {
    let phases = vec![
        Phase::new(seconds(90), 1200.0, SERVICE),
        Phase::new(seconds(30), 5000.0, SERVICE),
        Phase::new(seconds(30), 5000.0, SERVICE),
    ];
    let scenario = Scenario { servers: 100, timeout: None, phases, seed: 1 };
    let reports = simulate(&scenario);
    assert!(reports[2].goodput() >= 1800.0, "{}", reports[2].goodput());
}

#[test]
fn the_same_seed_gives_the_same_reports() {
    for algorithm in ALGORITHMS {
        let phases = vec![Phase::new(seconds(30), 600.0, SERVICE)];
        let once = || {
            let mut limiter =
                AdaptiveLimiter::new(AdaptiveConfig::with(algorithm), 7, Instant::ZERO).unwrap();
            run(&twenty_servers(9, phases.clone()), &mut limiter)
        };
        assert_eq!(once(), once());
    }
}

/// Calls of `rtt` that follow each other on `lanes` lanes for `lasts`.
fn steady(
    limiter: &mut AdaptiveLimiter,
    from: Instant,
    lasts: Duration,
    lanes: u32,
    rtt: Duration,
    outcome: Outcome,
) -> Instant {
    let mut now = from;
    while now.since(from) < lasts {
        let begun = (0..lanes).filter(|_| limiter.start().is_ok()).count();
        now = now.after(rtt);
        for _ in 0..begun {
            limiter.end(rtt, outcome, now);
        }
    }
    now
}

#[test]
fn no_decision_before_the_window_or_the_samples_or_the_warm_up() {
    let mut limiter = limiter(AdaptiveConfig::default());
    let explain = |limiter: &AdaptiveLimiter, now| limiter.explain(now);
    // 49 calls in an hour.
    let mut now = Instant::ZERO;
    for _ in 0..49 {
        now = now.after(seconds(60));
        limiter.start().unwrap();
        limiter.end(ms(50), Outcome::Success, now);
    }
    assert_eq!(explain(&limiter, now).change, Change::Initial);
    assert_eq!(explain(&limiter, now).samples, 49);
    // The fiftieth closes it, and warm-up begins.
    limiter.start().unwrap();
    limiter.end(ms(50), Outcome::Success, now);
    assert_eq!(explain(&limiter, now).change, Change::WarmUp);
    assert_eq!((limiter.limit(), explain(&limiter, now).samples), (20, 0));
    // Many calls within the next second decide nothing.
    steady(&mut limiter, now, ms(999), 20, ms(1), Outcome::Success);
    assert_eq!(explain(&limiter, now).change, Change::WarmUp);
    // Ten windows make the baseline.
    let now = steady(&mut limiter, now.after(seconds(1)), seconds(9), 20, ms(50), Outcome::Success);
    assert_eq!((limiter.limit(), explain(&limiter, now).change), (21, Change::Room));
}

#[test]
fn a_window_lasts_twice_the_latency() {
    let mut limiter = limiter(AdaptiveConfig::default());
    let now = steady(&mut limiter, Instant::ZERO, seconds(60), 20, seconds(4), Outcome::Success);
    let due = limiter.explain(now).due_in;
    assert!(due > seconds(1) && due <= seconds(9), "{due:?}");
}

/// A window that is open over a pause is neither slow nor idle for it.
#[test]
fn a_pause_is_no_latency_and_no_want_of_throughput() {
    let mut limiter = limiter(AdaptiveConfig::default());
    let mut now = steady(&mut limiter, Instant::ZERO, seconds(30), 30, ms(50), Outcome::Success);
    for _ in 0..5 {
        let (limit, latency) = (limiter.limit(), limiter.explain(now).latency);
        now = steady(
            &mut limiter,
            now.after(seconds(3600)),
            seconds(10),
            30,
            ms(50),
            Outcome::Success,
        );
        assert!(limiter.limit() >= limit, "from {limit} to {}", limiter.limit());
        assert_eq!(limiter.explain(now).latency, latency);
    }
}

#[test]
fn cancelled_calls_and_fast_failures_are_not_sampled() {
    let mut limiter = limiter(AdaptiveConfig::default());
    let now = steady(&mut limiter, Instant::ZERO, seconds(3), 20, ms(50), Outcome::Success);
    let samples = limiter.explain(now).samples;
    for (rtt, outcome) in [(ms(5000), Outcome::Neutral), (ms(1), Outcome::Failure)] {
        limiter.start().unwrap();
        limiter.end(rtt, outcome, now);
    }
    limiter.start().unwrap();
    limiter.discard();
    assert_eq!((limiter.explain(now).samples, limiter.in_flight()), (samples, 0));
    limiter.start().unwrap();
    limiter.end(ms(500), Outcome::Failure, now);
    assert_eq!(limiter.explain(now).samples, samples + 1);
}

#[test]
fn fast_failures_do_not_make_a_side_look_fast() {
    let mut limiter = limiter(AdaptiveConfig::default());
    let now = steady(&mut limiter, Instant::ZERO, seconds(20), 20, ms(50), Outcome::Success);
    let (limit, baseline) = (limiter.limit(), limiter.explain(now).baseline);
    let now = steady(&mut limiter, now, seconds(20), 20, ms(1), Outcome::Failure);
    assert_eq!((limiter.limit(), limiter.explain(now).baseline), (limit, baseline));
}

#[test]
fn the_limit_does_not_grow_past_what_is_used() {
    for algorithm in ALGORITHMS {
        let config = AdaptiveConfig { initial_limit: 1, ..AdaptiveConfig::with(algorithm) };
        let mut limiter = limiter(config);
        steady(&mut limiter, Instant::ZERO, seconds(300), 3, ms(10), Outcome::Success);
        assert!(limiter.limit() <= 15, "{algorithm:?}: {}", limiter.limit());
    }
}

#[test]
fn a_refusal_says_what_there_is_and_when_to_come_back() {
    let mut limiter = limiter(AdaptiveConfig { initial_limit: 2, ..AdaptiveConfig::default() });
    limiter.start().unwrap();
    limiter.start().unwrap();
    let refusal = limiter.start().unwrap_err();
    assert_eq!((refusal.limit, refusal.in_flight, refusal.retry_after), (2, 2, None));
    limiter.discard();
    limiter.discard();
    steady(&mut limiter, Instant::ZERO, seconds(3), 2, ms(40), Outcome::Success);
    limiter.start().unwrap();
    limiter.start().unwrap();
    assert_eq!(limiter.start().unwrap_err().retry_after, Some(ms(40)));
}

#[test]
fn an_update_keeps_what_was_measured_and_the_limit_within_the_bounds() {
    let mut limiter = limiter(AdaptiveConfig::default());
    let now = steady(&mut limiter, Instant::ZERO, seconds(30), 20, ms(50), Outcome::Success);
    let before = limiter.explain(now);
    assert!(before.limit > 20);
    let wider = AdaptiveConfig { max_limit: 1000, ..AdaptiveConfig::default() };
    limiter.update(wider).unwrap();
    assert_eq!(limiter.explain(now).baseline, before.baseline);
    assert_eq!(limiter.limit(), before.limit);
    let lower = AdaptiveConfig { max_limit: 5, initial_limit: 5, ..AdaptiveConfig::default() };
    limiter.update(lower).unwrap();
    assert_eq!((limiter.limit(), limiter.explain(now).change), (5, Change::Bounds));
    let wrong = AdaptiveConfig { min_limit: 9, ..lower };
    assert!(limiter.update(wrong).is_err());
    assert_eq!(limiter.config(), &lower);
    limiter.update(AdaptiveConfig { algorithm: Algorithm::Vegas, ..lower }).unwrap();
    assert_eq!(limiter.explain(now).baseline, None);
}

#[test]
fn options_out_of_range_are_named() {
    let wrong = |options: AdaptiveOptions| options.build().unwrap_err().field;
    let none = AdaptiveOptions::default;
    assert_eq!(none().build(), Ok(AdaptiveConfig::default()));
    assert_eq!(wrong(AdaptiveOptions { min_limit: Some(0.0), ..none() }), "minLimit");
    assert_eq!(wrong(AdaptiveOptions { max_limit: Some(1.5), ..none() }), "maxLimit");
    let (min, max) = (Some(9.0), Some(8.0));
    assert_eq!(wrong(AdaptiveOptions { min_limit: min, max_limit: max, ..none() }), "maxLimit");
    assert_eq!(wrong(AdaptiveOptions { initial_limit: min, max_limit: max, ..none() }), "maxLimit");
    assert_eq!(wrong(AdaptiveOptions { quantile: Some(0.0), ..none() }), "quantile");
    assert_eq!(wrong(AdaptiveOptions { min_samples: Some(0.0), ..none() }), "minSamples");
    assert_eq!(wrong(AdaptiveOptions { min_window_ms: Some(0.0), ..none() }), "minWindowMs");
    assert_eq!(wrong(AdaptiveOptions { max_window_ms: Some(10.0), ..none() }), "maxWindowMs");
    assert_eq!(wrong(AdaptiveOptions { slow_after_ms: Some(10.0), ..none() }), "slowAfterMs");
    let small = AdaptiveOptions { max_limit: Some(8.0), ..none() }.build().unwrap();
    assert_eq!(small.initial_limit, 8);
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Start(u8),
    End(u8, Outcome),
    /// Time in ms passes, or goes back.
    Pass(i32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let outcome = prop_oneof![
        6 => Just(Outcome::Success),
        2 => Just(Outcome::Failure),
        1 => Just(Outcome::Neutral),
    ];
    let step = prop_oneof![
        4 => (1..40u8).prop_map(Step::Start),
        4 => (1..40u8, outcome).prop_map(|(calls, outcome)| Step::End(calls, outcome)),
        3 => (0..3000i32).prop_map(Step::Pass),
        1 => prop_oneof![20 => 0..60_000i32, 1 => -60_000..0i32].prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..400)
}

fn configs() -> impl Strategy<Value = AdaptiveConfig> {
    (0..4usize, 1..30u32, 0..60u32, 0..60u32, 1..120u32).prop_map(
        |(algorithm, min_limit, more, most, min_samples)| AdaptiveConfig {
            algorithm: ALGORITHMS[algorithm],
            min_limit,
            initial_limit: min_limit + more,
            max_limit: min_limit + more + most,
            min_samples,
            ..AdaptiveConfig::default()
        },
    )
}

/// What a caller does that gathers samples, as `npm/src/adaptive-limiter.ts`.
struct Gatherer {
    limiter: AdaptiveLimiter,
    terms: seawall::limit::adaptive::Terms,
    samples: Vec<f64>,
    in_flight: u32,
    peak: u32,
    crossings: u32,
}

impl Gatherer {
    fn new(mut limiter: AdaptiveLimiter) -> Self {
        let terms = limiter.take(&[], 0, 0, Instant::ZERO);
        Self { limiter, terms, samples: Vec::new(), in_flight: 0, peak: 0, crossings: 0 }
    }

    fn start(&mut self) -> bool {
        let begins = self.in_flight < self.terms.limit;
        if begins {
            self.in_flight += 1;
            self.peak = self.peak.max(self.in_flight);
        }
        begins
    }

    fn end(&mut self, rtt: Duration, outcome: Outcome, now: Instant) {
        self.in_flight -= 1;
        if outcome == Outcome::Neutral {
            return;
        }
        let ms = rtt.as_nanos() as f64 / 1e6;
        self.samples.push(if outcome == Outcome::Success { ms } else { -1.0 - ms });
        let full = self.samples.len() >= self.terms.room as usize;
        if full || self.terms.due.is_some_and(|due| now >= due) {
            assert!(self.samples.len() <= MOST_SAMPLES as usize);
            self.terms = self.limiter.take(&self.samples, self.in_flight, self.peak, now);
            self.samples.clear();
            self.peak = 0;
            self.crossings += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(200)))]

    /// Within its bounds, never more in flight than the limit lets begin, whatever the clock does.
    /// While that does not go back, it is the same for a caller that gathers samples as for one that
    /// tells of each.
    #[test]
    fn bounds_hold_and_gathering_changes_nothing(config in configs(), steps in steps()) {
        let mut limiter = limiter(config);
        let mut gatherer = Gatherer::new(limiter.clone());
        let mut begun: Vec<Instant> = Vec::new();
        let mut now = Instant::from_millis(100_000.0);
        let mut forward = true;
        for step in steps {
            match step {
                Step::Start(calls) => for _ in 0..calls {
                    let room = limiter.in_flight() < limiter.limit();
                    let begins = limiter.start().is_ok();
                    prop_assert_eq!(begins, room);
                    if forward {
                        prop_assert_eq!(gatherer.start(), begins);
                    }
                    if begins {
                        begun.push(now);
                    }
                },
                Step::End(calls, outcome) => for _ in 0..calls {
                    let Some(since) = begun.pop() else { break };
                    limiter.end(now.since(since), outcome, now);
                    if forward {
                        gatherer.end(now.since(since), outcome, now);
                    }
                },
                Step::Pass(ms) => {
                    now = now.shifted(i64::from(ms) * 1_000_000);
                    forward &= ms >= 0;
                }
            }
            prop_assert!((config.min_limit..=config.max_limit).contains(&limiter.limit()));
            prop_assert_eq!(limiter.in_flight() as usize, begun.len());
            if forward {
                prop_assert_eq!(gatherer.terms.limit, limiter.limit());
            }
            let explanation = limiter.explain(now);
            prop_assert!(explanation.due_in <= Duration::from_secs(120_000));
        }
    }
}

#[test]
fn gathering_crosses_seldom() {
    let mut gatherer = Gatherer::new(limiter(AdaptiveConfig::default()));
    let mut now = Instant::ZERO;
    for _ in 0..10_000 {
        assert!(gatherer.start());
        now = now.after(ms(1));
        gatherer.end(ms(1), Outcome::Success, now);
    }
    assert!(gatherer.crossings <= 10_000 / 40, "{}", gatherer.crossings);
}
