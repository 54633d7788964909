//! The division of a server's connections.

use proptest::prelude::*;
use seawall::options::Rule;
use seawall::pool::{PoolOptions, PoolSizing};

fn size(server_max: u32, instances: u32, reserve: f64) -> u32 {
    PoolSizing { server_max, instances, reserve, ..PoolSizing::default() }.size().unwrap().size
}

#[test]
fn half_is_kept_free_unless_said_otherwise() {
    assert_eq!(size(100, 6, 0.5), 8);
    assert_eq!(PoolSizing::default().size().unwrap().size, 50);
    assert_eq!(size(100, 6, 0.0), 16);
}

#[test]
fn a_share_is_exact_although_floats_are_not() {
    assert_eq!(size(100, 1, 0.9), 10);
    assert_eq!(size(100, 1, 0.07), 93);
    assert_eq!(size(1000, 1, 0.3), 700);
}

#[test]
fn processes_and_connections_held_by_others_count() {
    let sizing =
        PoolSizing { instances: 3, processes: 4, held: 4, ..PoolSizing::default() }.size().unwrap();
    assert_eq!((sizing.size, sizing.usable, sizing.processes), (4, 48.0, 12));
}

#[test]
fn more_processes_than_connections_get_one_each_and_are_told() {
    let sizing = PoolSizing { instances: 51, ..PoolSizing::default() }.size().unwrap();
    assert_eq!((sizing.size, sizing.fits), (1, false));
    assert!(PoolSizing { instances: 50, ..PoolSizing::default() }.size().unwrap().fits);
}

#[test]
fn what_is_out_of_range_is_refused() {
    let refused = |options: PoolOptions| {
        let problem = options.into_sizing().and_then(|sizing| sizing.size()).unwrap_err();
        (problem.field, problem.rule)
    };
    let none = PoolOptions::default();
    for bad in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
        assert_eq!(
            refused(PoolOptions { server_max: Some(bad), ..none }),
            ("serverMax", Rule::IntegerAtLeast)
        );
        assert_eq!(
            refused(PoolOptions { instances: Some(bad), ..none }),
            ("instances", Rule::IntegerAtLeast)
        );
        assert_eq!(
            refused(PoolOptions { processes: Some(bad), ..none }),
            ("processes", Rule::IntegerAtLeast)
        );
    }
    for bad in [-0.1, 1.1, f64::NAN] {
        assert_eq!(refused(PoolOptions { reserve: Some(bad), ..none }), ("reserve", Rule::Share));
    }
    assert_eq!(refused(PoolOptions { held: Some(-1.0), ..none }), ("held", Rule::IntegerAtLeast));
    assert_eq!(refused(PoolOptions { held: Some(101.0), ..none }), ("serverMax", Rule::NotBelow));
}

proptest! {
    #[test]
    fn all_pools_together_stay_within_what_is_usable(
        server_max in 1..10_000_u32,
        instances in 1..500_u32,
        processes in 1..64_u32,
        reserve in 0.0..=1.0_f64,
        held in 0..10_000_u32,
    ) {
        let sizing = PoolSizing {
            server_max: server_max.max(held), instances, processes, reserve, held,
        };
        let answer = sizing.size().unwrap();
        let all = f64::from(answer.size) * answer.processes as f64;
        if answer.fits {
            prop_assert!(all <= answer.usable + 1e-6);
            prop_assert!(all + answer.processes as f64 > answer.usable - 1e-6, "not one more each");
        } else {
            prop_assert_eq!(answer.size, 1);
            prop_assert!(all > answer.usable - 1e-6);
        }
    }
}
