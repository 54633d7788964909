//! Who has had a connection or a request already, among as many workers as there may be.

use std::collections::HashSet;

use proptest::prelude::*;
use seawall::balance::{BalanceConfig, Balancer, Load, Strategy, Tried};
use seawall::http::{Turn, TurnConfig};
use seawall::{Instant, Rng};

/// Workers of which those from 64 on are ready, as after a reload, and the first of these has least
/// to do.
fn after_a_reload() -> Vec<Load> {
    let busy = Load { ready: true, connections: 5, in_flight: 5, ..Load::default() };
    let mut loads = vec![Load::default(); 64];
    loads.push(Load { connections: 0, in_flight: 0, ..busy });
    loads.extend([busy; 5]);
    loads
}

fn by_load() -> Balancer {
    let strategy = Strategy::PeakEwma;
    Balancer::new(BalanceConfig { strategy, ..BalanceConfig::default() }).expect("valid options")
}

#[test]
fn one_of_many_that_failed_a_request_does_not_get_it_again() {
    let (loads, mut balancer, mut rng) = (after_a_reload(), by_load(), Rng::new(1));
    let config = TurnConfig::default();
    let mut turn =
        |tried: &Tried| config.turn(&mut balancer, &loads, tried, None, Instant::ZERO, &mut rng);
    let mut tried = Tried::default();
    assert_eq!(turn(&tried), Turn::Worker(64));
    tried.insert(64);
    let Turn::Worker(other) = turn(&tried) else { panic!("somebody") };
    assert!((65..70).contains(&other), "{other}");
}

#[test]
fn one_of_many_that_did_not_take_a_connection_does_not_get_it_again() {
    let (loads, mut balancer, mut rng) = (after_a_reload(), by_load(), Rng::new(1));
    let mut pick = |tried: &Tried| balancer.pick_other(&loads, tried, Instant::ZERO, &mut rng);
    let mut tried = Tried::default();
    assert_eq!(pick(&tried), Some(64));
    for count in 1..=6 {
        let picked = pick(&tried).expect("somebody");
        assert!(loads[picked].ready && !tried.contains(picked), "{count}: {picked}");
        tried.insert(picked);
    }
    assert_eq!(pick(&tried), Some(64), "nobody else is there");
}

proptest! {
    /// As a set of numbers has it.
    #[test]
    fn a_set(inserted in prop::collection::vec(0_usize..1024, 0..20), asked in 0_usize..1024) {
        let mut tried = Tried::default();
        prop_assert!(tried.is_empty());
        for worker in &inserted {
            tried.insert(*worker);
        }
        let set: HashSet<usize> = inserted.into_iter().collect();
        prop_assert_eq!(tried.is_empty(), set.is_empty());
        prop_assert_eq!(tried.contains(asked), set.contains(&asked));
        prop_assert!(set.iter().all(|worker| tried.contains(*worker)));
    }
}
