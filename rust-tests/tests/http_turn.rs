//! Whose turn a request is, and whether it is sent again.

use std::time::Duration;

use proptest::prelude::*;
use seawall::balance::{BalanceConfig, Balancer, Load, Tried};
use seawall::door::numbers;
use seawall::http::{Attempt, Turn, TurnConfig, TurnOptions};
use seawall::{Instant, Rng};

#[test]
fn options_in_the_order_in_which_they_cross() {
    let options: TurnOptions = numbers::read(&[1.0, 0.5, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    let ms = Duration::from_millis;
    assert_eq!(
        options.build(),
        Ok(TurnConfig {
            max_in_flight: 1,
            max_pressure: 0.5,
            tries: 2,
            head_for: ms(4),
            stall_for: ms(5),
            answer_for: ms(6),
            keep_for: ms(7),
            link_for: ms(8),
            max_idle: 9,
        })
    );
    assert_eq!(numbers::read::<TurnOptions>(&[]).build(), Ok(TurnConfig::default()));
}

#[test]
fn options_out_of_range() {
    for (place, value, field) in [
        (0, -1.0, "maxInFlight"),
        (0, 1.5, "maxInFlight"),
        (1, 0.0, "maxPressure"),
        (1, 1.1, "maxPressure"),
        (2, 0.0, "maxTries"),
        (3, -1.0, "headTimeoutMs"),
        (4, -1.0, "stallTimeoutMs"),
        (5, -1.0, "answerTimeoutMs"),
        (6, -1.0, "keepAliveMs"),
        (7, -1.0, "workerKeepAliveMs"),
        (8, -1.0, "maxIdle"),
    ] {
        let mut numbers = [f64::NAN; 9];
        numbers[place] = value;
        let problem = numbers::read::<TurnOptions>(&numbers).build().expect_err(field);
        assert_eq!(problem.field, field);
    }
}

#[test]
fn what_may_be_sent_again() {
    let config = TurnConfig::default();
    for (method, sent, consumed, again) in [
        ("GET", true, false, true),
        ("HEAD", true, false, true),
        ("PUT", true, false, true),
        ("DELETE", true, false, true),
        ("PUT", true, true, false),
        ("POST", true, false, false),
        ("PATCH", true, false, false),
        ("POST", false, false, true),
        ("CONNECT", true, false, false),
        ("", true, false, false),
    ] {
        let attempt = Attempt { method, sent, consumed, switching: false, tries: 1 };
        assert_eq!(config.sends_again(attempt), again, "{attempt:?}");
        assert!(!config.sends_again(Attempt { tries: 3, ..attempt }), "enough");
        let switching = Attempt { switching: true, ..attempt };
        assert_eq!(config.sends_again(switching), again && !sent, "{switching:?}");
    }
}

/// Those whose bits are set.
fn those(bits: u64) -> Tried {
    let mut tried = Tried::default();
    for worker in (0..64).filter(|worker| bits & (1 << worker) != 0) {
        tried.insert(worker);
    }
    tried
}

/// How often each of two workers gets a request of a hundred, and how often nobody does.
fn turns_of_two(loads: [Load; 2], tried: u64) -> [u32; 3] {
    turns_after(loads, tried, None)
}

/// The same where one of them has ended a kept connection.
fn turns_after(loads: [Load; 2], tried: u64, closed: Option<usize>) -> [u32; 3] {
    let mut balancer = Balancer::new(BalanceConfig::default()).expect("default");
    let (config, mut rng) = (TurnConfig::default(), Rng::new(1));
    let tried = those(tried);
    let mut counts = [0; 3];
    for _ in 0..100 {
        let turn = config.turn(&mut balancer, &loads, &tried, closed, Instant::ZERO, &mut rng);
        counts[if let Turn::Worker(index) = turn { index } else { 2 }] += 1;
    }
    counts
}

#[test]
fn under_pressure_an_idle_worker_that_failed_a_request_does_not_get_it_again() {
    let idle = Load { ready: true, pressure: 1.0, ..Load::default() };
    let busy = Load { in_flight: 1, ..idle };
    assert_eq!(turns_of_two([idle, busy], 0), [100, 0, 0]);
    assert_eq!(turns_of_two([idle, idle], 1), [0, 100, 0]);
    let [again, other, full] = turns_of_two([idle, busy], 1);
    assert!(again == 0 && other > 0 && full > 80, "{again} {other} {full}");
    let gone = Load::default();
    assert_eq!(turns_of_two([idle, gone], 1), [100, 0, 0], "nobody else is there");
}

#[test]
fn a_calm_worker_that_failed_a_request_leaves_it_to_one_under_pressure() {
    let calm = Load { ready: true, in_flight: 1, pressure: 0.2, ..Load::default() };
    let pressed = Load { pressure: 1.0, ..calm };
    assert_eq!(turns_of_two([calm, pressed], 0), [100, 0, 0]);
    assert_eq!(turns_of_two([calm, pressed], 1), [0, 100, 0]);
    assert_eq!(turns_of_two([calm, pressed], 0b11), [100, 0, 0], "nobody else is there");
    assert_eq!(turns_of_two([calm, Load::default()], 1), [100, 0, 0], "nobody else is there");
    // Who does not turn is nobody.
    let stuck = Load { block_ms: 900.0, ..pressed };
    assert_eq!(turns_of_two([calm, stuck], 0), [100, 0, 0]);
}

#[test]
fn under_pressure_a_worker_that_is_stuck_bears_nothing_where_another_one_turns() {
    let stuck = Load { ready: true, pressure: 1.0, block_ms: 900.0, ..Load::default() };
    let busy = Load { in_flight: 1, block_ms: 0.0, ..stuck };
    let [none, some, full] = turns_of_two([stuck, busy], 0);
    assert!(none == 0 && some > 0 && full > 80, "{none} {some} {full}");
    let [none, some, full] = turns_of_two([Load { pressure: 1.2, ..stuck }, busy], 0);
    assert!(none == 0 && some > 0 && full > 80, "{none} {some} {full}");
    assert_eq!(turns_of_two([stuck, Load { in_flight: 1, ..stuck }], 0), [100, 0, 0]);
    // What it said before it got stuck is no reason to give it everything.
    let idle = Load { in_flight: 0, ..busy };
    assert_eq!(turns_of_two([Load { pressure: 0.2, ..stuck }, idle], 0), [0, 100, 0]);
}

#[test]
fn a_worker_that_ended_a_kept_connection_gets_the_request_again_rather_than_one_that_is_stuck() {
    let idle = Load { ready: true, ..Load::default() };
    let stuck = Load { block_ms: 900.0, ..idle };
    assert_eq!(turns_of_two([idle, stuck], 1), [0, 100, 0]);
    assert_eq!(turns_after([idle, stuck], 0, Some(0)), [100, 0, 0]);
    assert_eq!(turns_after([idle, stuck], 1, Some(0)), [0, 100, 0], "a fresh one as well");
    assert_eq!(turns_after([idle, Load::default()], 0, Some(0)), [100, 0, 0]);
    // It may be about to end.
    let busy = Load { in_flight: 9, pressure: 0.9, ..idle };
    assert_eq!(turns_after([idle, busy], 0, Some(0)), [0, 100, 0]);
    assert_eq!(turns_after([idle, Load { pressure: 1.0, ..busy }], 0, Some(0)), [0, 100, 0]);
}

proptest! {
    /// Never somebody who is not ready or full; one under pressure only where all are that have not been
    /// tried; somebody who has not been tried, if there is one.
    #[test]
    fn turns(
        loads in prop::collection::vec((any::<bool>(), 0_u32..4, 0.0..1.2_f64, 0.0..100.0_f64), 0..6),
        tried in (0_u64..64).prop_map(those),
        closed in prop::option::of(0_usize..6),
        max_in_flight in 0_u32..4,
    ) {
        let config = TurnConfig { max_in_flight, ..TurnConfig::default() };
        let loads: Vec<Load> = loads
            .into_iter()
            .map(|(ready, in_flight, pressure, block_ms)| Load {
                ready, in_flight, pressure, block_ms, ..Load::default()
            })
            .collect();
        let mut balancer = Balancer::new(BalanceConfig::default()).expect("default");
        let turn = config.turn(&mut balancer, &loads, &tried, closed, Instant::ZERO, &mut Rng::new(1));
        let takes = |load: &Load| {
            load.ready && (max_in_flight == 0 || load.in_flight < max_in_flight)
        };
        let able = |load: &Load| takes(load) && load.pressure < 1.0;
        let turns = |load: &Load| load.block_ms <= 50.0;
        let other_turns = loads.iter().enumerate().any(|(i, load)| {
            takes(load) && turns(load) && !tried.contains(i) && Some(i) != closed
        });
        let is_tried = |index: usize| {
            tried.contains(index) || (other_turns && Some(index) == closed)
        };
        match turn {
            Turn::Worker(index) => {
                prop_assert!(takes(&loads[index]));
                let others = || loads.iter().enumerate().filter(|(i, _)| !is_tried(*i));
                let calm = others().any(|(_, load)| able(load) && turns(load));
                prop_assert!(able(&loads[index]) || !calm);
                prop_assert!(!is_tried(index) || !others().any(|(_, load)| takes(load) && turns(load)));
            }
            Turn::Full => {
                prop_assert!(loads.iter().any(|load| load.ready));
                prop_assert!(!loads.iter().any(|load| able(load) && turns(load)));
                let any_turns = loads.iter().any(|load| load.ready && turns(load));
                let idle = |load: &Load| {
                    takes(load) && load.in_flight == 0 && (turns(load) || !any_turns)
                };
                prop_assert!(!loads.iter().enumerate().any(|(i, load)| idle(load) && !is_tried(i)));
            }
            Turn::Nobody => prop_assert!(!loads.iter().any(|load| load.ready)),
        }
    }
}
