//! Options, and changing them.

use seawall::options::Rule;
use seawall::pressure::{Level, LimitOptions, PressureConfig, PressureOptions, Signal};

use super::{judge, medium, ms, signals};

#[test]
fn an_update_keeps_level_and_counts() {
    let mut judge = judge(PressureConfig::default());
    judge.observe(ms(0), &signals([(Signal::Block, 300.0)]));
    assert!(judge.admit(&medium()).is_shed());
    let bad = PressureConfig::default().limit(Signal::Block, 5.0, 4.0);
    assert_eq!(judge.update(bad).unwrap_err().rule, Rule::NotBelow);
    judge.update(PressureConfig::default().limit(Signal::Block, 400.0, 500.0)).unwrap();
    assert_eq!((judge.level(), judge.explain().shed_in_all()), (Level::Full, 1));
    judge.observe(ms(20), &signals([(Signal::Block, 300.0)]));
    judge.observe(ms(40), &signals([(Signal::Block, 300.0)]));
    assert_eq!(judge.level(), Level::Normal);
}

#[test]
fn options_are_checked() {
    let refused = |change: fn(&mut PressureOptions)| {
        let mut options = PressureOptions::default();
        change(&mut options);
        let problem = options.build().unwrap_err();
        (problem.field, problem.rule)
    };
    let limits = |soft, hard| LimitOptions { soft, hard };
    assert_eq!(PressureOptions::default().build().unwrap(), PressureConfig::default());
    assert_eq!(
        refused(|o| o.heap = LimitOptions { soft: Some(-0.1), hard: None }),
        ("heap.soft", Rule::AtLeast)
    );
    assert_eq!(
        refused(|o| o.delay_ms = LimitOptions { soft: Some(9.0), hard: Some(8.0) }),
        ("delayMs.hard", Rule::NotBelow)
    );
    assert_eq!(
        refused(|o| o.block_ms = LimitOptions { soft: None, hard: Some(0.0) }),
        ("blockMs.hard", Rule::Above)
    );
    assert_eq!(refused(|o| o.max_retry_after_ms = Some(-1.0)).0, "maxRetryAfterMs");
    let one = |block, flight| {
        let options =
            PressureOptions { block_ms: block, in_flight: flight, ..PressureOptions::default() };
        let config = options.build().unwrap();
        let [block, flight] = [Signal::Block, Signal::InFlight].map(|s| config.limits(s));
        [block.soft, block.hard, flight.soft, flight.hard]
    };
    assert_eq!(one(limits(Some(400.0), None), limits(Some(5.0), None)), [400.0, 400.0, 5.0, 10.0]);
    assert_eq!(one(limits(None, Some(50.0)), limits(None, Some(8.0))), [50.0, 50.0, 4.0, 8.0]);
}
