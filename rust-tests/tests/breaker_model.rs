//! The state machine against a model that recounts everything at each step.

use proptest::prelude::*;
use proptest::test_runner::Config;
use seawall_tests::breaker_pair::Pair;
use seawall_tests::breaker_world::{any_config, any_op, any_trip};
use seawall_tests::cases;

fn config(count: u32) -> Config {
    // What is found becomes a test by name; seeds would be worthless after the next new operation.
    Config { cases: cases(count), failure_persistence: None, ..Config::default() }
}

fn seed() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), any::<u64>()]
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn a_machine_does_what_the_model_does(
        config in any_config(any_trip()),
        seed in seed(),
        start in prop_oneof![Just(0u64), 0..20_000_000_000u64],
        ops in prop::collection::vec(any_op(), 1..120),
    ) {
        let mut pair = Pair::new(&config, seed, start);
        for op in ops {
            pair.apply(op)?;
        }
        pair.look()?;
    }
}
