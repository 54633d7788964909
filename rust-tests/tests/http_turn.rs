//! Whose turn a request is, and whether it is sent again.

use std::time::Duration;

use proptest::prelude::*;
use seawall::balance::{BalanceConfig, Balancer, Load};
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

proptest! {
    /// Never somebody who is not ready or full; somebody who has not been tried, if there is one.
    #[test]
    fn turns(
        loads in prop::collection::vec((any::<bool>(), 0_u32..4, 0.0..1.2_f64, 0.0..100.0_f64), 0..6),
        tried in 0_u64..64,
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
        let turn = config.turn(&mut balancer, &loads, tried, Instant::ZERO, &mut Rng::new(1));
        let able = |load: &Load| {
            load.ready && load.pressure < 1.0
                && (max_in_flight == 0 || load.in_flight < max_in_flight)
        };
        let is_tried = |index: usize| tried & (1 << index) != 0;
        match turn {
            Turn::Worker(index) => {
                prop_assert!(able(&loads[index]));
                let other = loads.iter().enumerate().any(|(i, load)| able(load) && !is_tried(i));
                prop_assert!(!is_tried(index) || !other);
            }
            Turn::Full => {
                prop_assert!(loads.iter().any(|load| load.ready) && !loads.iter().any(able));
            }
            Turn::Nobody => prop_assert!(!loads.iter().any(|load| load.ready)),
        }
    }
}
