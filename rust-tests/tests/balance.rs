//! The balancer against what it promises, over random loads and times.

use std::time::Duration;

use proptest::prelude::*;
use seawall::balance::{
    BalanceConfig, BalanceOptions, Balancer, Load, Respawn, RespawnConfig, Respawned,
    Strategy as By, Weights, least_connections, plain, resource_aware, round_robin,
};
use seawall::options::Rule;
use seawall::{Instant, Rng};

const ALL: [By; 5] =
    [By::RoundRobin, By::LeastConnections, By::ResourceAware, By::PeakEwma, By::TwoChoices];

fn at(ms: f64) -> Instant {
    Instant::from_millis(ms)
}

fn balancer(strategy: By) -> Balancer {
    let config = BalanceConfig { strategy, slow_start: Duration::ZERO, ..BalanceConfig::default() };
    Balancer::new(config).expect("valid options")
}

fn calm() -> Load {
    Load { ready: true, ..Load::default() }
}

prop_compose! {
    fn any_load()(
        ready in prop::bool::weighted(0.8),
        connections in 0u32..50,
        in_flight in 0u32..20,
        unanswered in 0u32..4,
        block_ms in prop_oneof![Just(0.0), 0.0..200.0],
        pressure in 0.0..1.0,
        cpu_percent in 0.0..100.0,
        heap in 0.0..1.0,
    ) -> Load {
        Load { ready, connections, in_flight, unanswered, block_ms, pressure, cpu_percent, heap }
    }
}

/// What happens to the workers between two choices.
#[derive(Debug, Clone)]
enum Event {
    Started(usize),
    Failed(usize),
    Succeeded(usize),
    Answered(usize, f64),
    Pick(Vec<Load>),
}

fn any_event() -> impl proptest::strategy::Strategy<Value = (f64, Event)> {
    let event = prop_oneof![
        1 => (0usize..5).prop_map(Event::Started),
        3 => (0usize..5).prop_map(Event::Failed),
        2 => (0usize..5).prop_map(Event::Succeeded),
        2 => (0usize..5, 0.0..500.0).prop_map(|(worker, ms)| Event::Answered(worker, ms)),
        6 => prop::collection::vec(any_load(), 0..5).prop_map(Event::Pick),
    ];
    (0.0..3000.0, event)
}

proptest! {
    #[test]
    fn whoever_is_picked_may_be(
        which in 0usize..5,
        seed: u64,
        events in prop::collection::vec(any_event(), 1..60),
    ) {
        let config = BalanceConfig { strategy: ALL[which], ..BalanceConfig::default() };
        let mut balancer = Balancer::new(config).expect("valid options");
        let mut rng = Rng::new(seed);
        let mut ms = 0.0;
        for (wait, event) in events {
            ms += wait;
            let now = at(ms);
            match event {
                Event::Started(worker) => balancer.started(worker, now),
                Event::Failed(worker) => balancer.failed(worker, now),
                Event::Succeeded(worker) => balancer.succeeded(worker),
                Event::Answered(worker, latency) => {
                    balancer.answered(worker, at(latency).since(Instant::ZERO), now);
                }
                Event::Pick(loads) => {
                    let full = balancer.is_full(&loads, now);
                    let free = |load: &Load| load.ready && load.unanswered < config.credit;
                    let picked = balancer.pick(&loads, now, &mut rng);
                    let turns = |load: &Load| load.ready && load.block_ms <= 50.0;
                    prop_assert_eq!(full, picked.is_none() && loads.iter().any(turns));
                    if full {
                        continue;
                    }
                    let turning = |load: &Load| load.block_ms <= 50.0;
                    let better = loads.iter().any(|load| load.ready && turning(load));
                    if !better {
                        prop_assert_eq!(picked.is_some(), loads.iter().any(free));
                    }
                    let Some(picked) = picked else {
                        prop_assert!(!loads.iter().all(free) || loads.is_empty());
                        continue;
                    };
                    prop_assert!(free(&loads[picked]));
                    prop_assert!(turning(&loads[picked]) || !better, "a stuck one was picked");
                }
            }
        }
    }

    #[test]
    fn the_least_is_the_least(which in 1usize..4, loads in prop::collection::vec(any_load(), 1..6)) {
        let loads: Vec<Load> = loads
            .into_iter()
            .map(|load| Load { block_ms: 0.0, pressure: 0.0, unanswered: 0, ready: true, ..load })
            .collect();
        let score = |load: &Load| match ALL[which] {
            By::LeastConnections => f64::from(load.connections),
            By::ResourceAware => {
                let Weights { connection, cpu, heap } = Weights::default();
                f64::from(load.connections) * connection + load.cpu_percent * cpu + load.heap * heap
            }
            _ => f64::from(load.in_flight),
        };
        let picked = balancer(ALL[which]).pick(&loads, at(0.0), &mut Rng::new(1)).expect("one");
        for load in &loads {
            prop_assert!(score(&loads[picked]) <= score(load) + 1e-9);
        }
    }

    #[test]
    fn taking_turns_is_fair(count in 1usize..8, rounds in 1usize..20) {
        let mut balancer = balancer(By::RoundRobin);
        let loads = vec![calm(); count];
        let mut got = vec![0; count];
        for _ in 0..count * rounds {
            got[balancer.pick(&loads, at(0.0), &mut Rng::new(1)).expect("one")] += 1;
        }
        prop_assert_eq!(got, vec![rounds; count]);
    }

    #[test]
    fn a_crash_loop_starts_a_worker_at_most_six_times_a_minute(
        seed: u64,
        lives in prop::collection::vec(0.0..2000.0, 20),
    ) {
        let mut worker = Respawn::new(RespawnConfig::default()).expect("valid options");
        let mut rng = Rng::new(seed);
        let (mut now, mut starts, mut last) = (at(0.0), 1, Duration::ZERO);
        for life in lives {
            now = now.after(at(life).since(Instant::ZERO));
            match worker.died(now, &mut rng) {
                Respawned::GivenUp => {
                    prop_assert!(worker.given_up());
                    break;
                }
                Respawned::After(wait) => {
                    prop_assert!(wait >= last / 2 && wait <= Duration::from_secs(30));
                    (now, last) = (now.after(wait), wait);
                    starts += i32::from(now <= at(60_000.0));
                }
            }
        }
        prop_assert!(starts <= 6, "{starts} starts");
    }
}

#[test]
fn a_worker_without_a_hand_over_to_spare_is_waited_for_rather_than_one_that_is_stuck() {
    let mut balancer = balancer(By::RoundRobin);
    let full = Load { unanswered: 2, ..calm() };
    let stuck = Load { block_ms: 900.0, ..calm() };
    assert_eq!(balancer.pick(&[full, stuck], at(0.0), &mut Rng::new(1)), None);
    assert_eq!(balancer.pick(&[calm(), stuck], at(0.0), &mut Rng::new(1)), Some(0));
    assert_eq!(balancer.pick(&[stuck, stuck], at(0.0), &mut Rng::new(1)), Some(0));
}

#[test]
fn equal_workers_take_turns_whatever_the_strategy() {
    for by in [By::LeastConnections, By::ResourceAware, By::PeakEwma] {
        let mut balancer = balancer(by);
        let picks: Vec<_> =
            (0..6).filter_map(|_| balancer.pick(&[calm(); 3], at(0.0), &mut Rng::new(1))).collect();
        assert_eq!(picks, [0, 1, 2, 0, 1, 2], "{by:?}");
    }
}

#[test]
fn the_better_of_two_is_hardly_ever_the_busiest() {
    let mut balancer = balancer(By::TwoChoices);
    let mut rng = Rng::new(3);
    let loads: Vec<Load> = (0..4).map(|n| Load { in_flight: n * 5, ..calm() }).collect();
    let mut got = [0; 4];
    for _ in 0..4000 {
        got[balancer.pick(&loads, at(0.0), &mut rng).expect("one")] += 1;
    }
    // The busiest is taken only where it is drawn twice: one time in sixteen.
    assert!(got[0] > got[1] && got[1] > got[2] && got[2] > got[3], "{got:?}");
    assert!((150..350).contains(&got[3]), "{got:?}");
}

#[test]
fn a_new_worker_begins_with_a_small_share() {
    let mut balancer = Balancer::new(BalanceConfig::default()).expect("valid options");
    balancer.started(0, at(0.0));
    balancer.started(1, at(100_000.0));
    let mut share = |ms: f64| {
        let picks = (0..110).filter_map(|_| balancer.pick(&[calm(); 2], at(ms), &mut Rng::new(1)));
        picks.filter(|worker| *worker == 1).count()
    };
    assert!((9..=11).contains(&share(100_000.0)), "a tenth to one");
    assert!((50..=60).contains(&share(110_000.0)), "as much as the other");
}

#[test]
fn three_failures_in_a_row_eject_and_at_most_half_at_once() {
    let mut balancer = balancer(By::RoundRobin);
    let mut rng = Rng::new(1);
    for _ in 0..3 {
        balancer.failed(0, at(0.0));
    }
    for _ in 0..9 {
        balancer.failed(0, at(1.0));
    }
    assert_eq!(
        balancer.ejected_until(0, at(1.0)),
        Some(at(5000.0)),
        "what it had already is no news"
    );
    for _ in 0..10 {
        assert_eq!(balancer.pick(&[calm(); 2], at(1.0), &mut rng), Some(1));
    }
    for _ in 0..3 {
        balancer.failed(1, at(1.0));
    }
    let both: Vec<_> =
        (0..4).filter_map(|_| balancer.pick(&[calm(); 2], at(2.0), &mut rng)).collect();
    assert!(both.contains(&0) && both.contains(&1), "where all fail, the fault is elsewhere");
    for _ in 0..3 {
        balancer.failed(0, at(6000.0));
    }
    assert_eq!(balancer.ejected_until(0, at(6001.0)), Some(at(16_000.0)), "longer the second time");
}

#[test]
fn one_slow_answer_counts_at_once_and_fades() {
    let mut balancer = balancer(By::PeakEwma);
    let mut rng = Rng::new(1);
    balancer.answered(0, Duration::from_millis(400), at(0.0));
    balancer.answered(1, Duration::from_millis(20), at(0.0));
    for _ in 0..5 {
        assert_eq!(balancer.pick(&[calm(); 2], at(1.0), &mut rng), Some(1));
    }
    let busy = [calm(), Load { in_flight: 2, ..calm() }];
    assert_eq!(balancer.pick(&busy, at(1.0), &mut rng), Some(1), "twenty times as slow");
    assert_eq!(balancer.pick(&busy, at(120_000.0), &mut rng), Some(0), "forgotten");
}

#[test]
fn the_plain_choices() {
    assert_eq!(
        (round_robin(5, 2), round_robin(100, 2), round_robin(1, 0)),
        (Some(1), Some(0), None)
    );
    let loads = [
        Load { connections: 3, cpu_percent: 1.0, ..calm() },
        Load { connections: 1, cpu_percent: 90.0, ..calm() },
    ];
    assert_eq!(least_connections(&loads), Some(1));
    assert_eq!(least_connections(&[loads[0], loads[0]]), Some(0), "the first of equals");
    assert_eq!(resource_aware(&loads, &Weights::default()), Some(0));
    let only = |connection, cpu| Weights { connection, cpu, heap: 0.0 };
    assert_eq!(resource_aware(&loads, &only(1.0, 0.0)), Some(1));
    assert_eq!(resource_aware(&loads, &only(0.0, 100.0)), Some(0));
    assert_eq!((least_connections(&[]), resource_aware(&[], &Weights::default())), (None, None));
}

#[test]
fn a_choice_without_memory() {
    // Requests under way and ms an answer takes, of each.
    let slow = [0.0, 100.0, 20.0, 1.0];
    assert_eq!(plain(By::PeakEwma, &slow, 1), Some(1), "42 against 101");
    assert_eq!(plain(By::PeakEwma, &[0.0, 100.0, 80.0, 1.0], 1), Some(0), "101 against 162");
    assert_eq!(plain(By::PeakEwma, &[], 1), None);
    assert_eq!(plain(By::TwoChoices, &[], 1), None);
    let picks: Vec<_> = (0..1000).filter_map(|seed| plain(By::TwoChoices, &slow, seed)).collect();
    let busy = picks.iter().filter(|worker| **worker == 1).count();
    assert_eq!(picks.len(), 1000);
    assert!((180..320).contains(&busy), "drawn twice one time in four: {busy}");
}

#[test]
fn options_out_of_range_are_named() {
    let refused =
        |options: BalanceOptions| options.build().map_err(|problem| (problem.field, problem.rule));
    let base = BalanceOptions::default;
    assert_eq!(refused(base()), Ok(BalanceConfig::default()));
    assert_eq!(
        refused(BalanceOptions { strategy: Some(9.0), ..base() }),
        Err(("strategy", Rule::OneOf))
    );
    assert_eq!(
        refused(BalanceOptions { credit: Some(0.0), ..base() }),
        Err(("credit", Rule::IntegerAtLeast))
    );
    assert_eq!(
        refused(BalanceOptions { cpu_weight: Some(-1.0), ..base() }),
        Err(("cpuWeight", Rule::AtLeast))
    );
    assert_eq!(
        refused(BalanceOptions { slow_start_ms: Some(-1.0), ..base() }),
        Err(("slowStartMs", Rule::AtLeast))
    );
    assert_eq!(
        refused(BalanceOptions { latency_decay_ms: Some(0.0), ..base() }),
        Err(("latencyDecayMs", Rule::Above))
    );
    assert_eq!(
        refused(BalanceOptions { eject_after: Some(1.5), ..base() }),
        Err(("ejectAfter", Rule::IntegerAtLeast))
    );
}
