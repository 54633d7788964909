//! The monitor that threads share, and its board.

use seawall::limit::priority::{Ask, Priority};
use seawall::pressure::{Level, Monitor, PressureConfig, Signal, Signals, board};

use super::{medium, ms, signals};

#[test]
fn the_board_says_what_was_decided() {
    let monitor = Monitor::new(PressureConfig::default(), 1).unwrap();
    let board = monitor.board();
    let at = |word| board.get(word);
    assert_eq!((at(board::THRESHOLD), at(board::SIGNAL), at(board::KEEP_ALIVE)), (0.0, -1.0, 1.0));
    monitor.observe(ms(20), &signals([(Signal::Block, 175.0)]));
    assert_eq!((at(board::SEQUENCE), at(board::LEVEL), at(board::PRESSURE)), (1.0, 3.0, 0.5));
    assert_eq!((at(board::CLOSE), at(board::SIGNAL)), (0.5, 0.0));
    assert!((at(board::KEEP_ALIVE) - 0.5 / 0.75).abs() < 1e-12);
    assert_eq!((at(board::OBSERVED), at(board::SIGNALS_AT)), (20.0, 175.0));
    let shed = (0..100).filter(|_| monitor.admit(&medium()).is_shed()).count();
    assert_eq!(at(board::SHED), shed as f64);
    assert!((200.0..300.0).contains(&at(board::THRESHOLD)));
    monitor.set_maintenance(true);
    assert_eq!((at(board::THRESHOLD), at(board::MODE)), (500.0, 2.0));
}

#[test]
fn callers_tell_of_requests_through_the_board() {
    let config = PressureConfig::default().limit(Signal::InFlight, 10.0, 20.0).limit(
        Signal::Queue,
        5.0,
        50.0,
    );
    let monitor = Monitor::new(config, 1).unwrap();
    monitor.board().set(board::IN_FLIGHT, 15.0);
    monitor.observe(ms(0), &Signals::default());
    assert_eq!(monitor.explain().signal, Some(Signal::InFlight));
    monitor.board().set(board::IN_FLIGHT, 0.0);
    for number in 1..20 {
        monitor.board().set(board::QUEUE, 60.0);
        monitor.board().set(board::QUEUE_TAG, f64::from(number));
        monitor.observe(ms(u64::from(number as u32) * 20), &Signals::default());
    }
    assert_eq!(monitor.explain().signal, Some(Signal::Queue));
    for number in 20..24 {
        monitor.observe(ms(number * 20), &Signals::default());
    }
    assert_eq!(monitor.explain().level, Level::Normal, "an old word is no wait");
}

#[test]
fn many_threads_may_ask_while_another_observes() {
    let monitor = Monitor::new(PressureConfig::default(), 1).unwrap();
    let shed = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..2000u64 {
                let block = if number % 3 == 0 { 300.0 } else { 0.0 };
                monitor.observe(ms(number * 20), &signals([(Signal::Block, block)]));
            }
        });
        let asking: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| (0..2000).filter(|_| monitor.admit(&medium()).is_shed()).count())
            })
            .collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(monitor.explain().shed_in_all() as usize, shed);
}

#[test]
fn who_is_refused_without_asking_is_counted_and_remembered() {
    let monitor = Monitor::new(PressureConfig::default(), 1).unwrap();
    let board = monitor.board();
    let refuse = |class: usize, count: f64| {
        let word = board::REFUSED_AT + class;
        board.set(word, board.get(word) + count);
    };
    monitor.observe(ms(20), &signals([(Signal::Block, 150.0)]));
    let graded = board.get(board::THRESHOLD);
    assert!((1.0..300.0).contains(&graded));
    assert_eq!(board.get(board::SURE), (graded / 100.0).floor());
    assert_eq!(board.get(board::RETRY_AT), 0.0);
    monitor.observe(ms(40), &signals([(Signal::Block, 300.0)]));
    assert_eq!(board.get(board::SURE), 3.0);
    refuse(0, 5.0);
    refuse(2, 5_000.0);
    let explanation = monitor.explain();
    assert_eq!(board.get(board::SHED), 5_005.0);
    let of_block = explanation.shed[Signal::Block as usize];
    assert_eq!((of_block[0], of_block[2]), (5, 5_000));
    refuse(1, 7.0);
    // They count for what was the reason until then.
    monitor.observe(ms(5_000), &signals([(Signal::DelayP99, 900.0)]));
    assert_eq!(monitor.explain().shed[Signal::Block as usize][1], 7);
    let times: Vec<f64> =
        (0..board::RETRIES).map(|place| board.get(board::RETRY_AT + place)).collect();
    assert!(times.iter().all(|time| (5.0..=10.0).contains(time)), "{times:?}");
    assert!(times.windows(2).any(|two| two[0] != two[1]));
    monitor.set_maintenance(true);
    assert_eq!(board.get(board::SURE), 5.0);
    monitor.set_maintenance(false);
    monitor.update(PressureConfig { dry_run: true, ..PressureConfig::default() }).unwrap();
    assert_eq!(board.get(board::SURE), 0.0);
}

#[test]
fn some_pressure_is_no_reason_to_refuse_all_whoever_came_before() {
    let monitor = Monitor::new(PressureConfig::default(), 1).unwrap();
    monitor.observe(ms(0), &signals([(Signal::Block, 130.0)]));
    for _ in 0..50 {
        assert!(!monitor.admit(&Ask::class(Priority::High)).is_shed());
    }
    monitor.observe(ms(20), &signals([(Signal::Block, 130.0)]));
    assert_eq!(monitor.board().get(board::THRESHOLD), 300.0, "below are refused all the same");
    assert!(!monitor.admit(&Ask::class(Priority::High)).is_shed());
    assert!(!monitor.refuses_all());
    monitor.observe(ms(40), &signals([(Signal::Block, 250.0)]));
    assert!(monitor.refuses_all());
    for at in [60, 80] {
        monitor.observe(ms(at), &signals([(Signal::Block, 130.0)]));
    }
    assert!(!monitor.refuses_all());
    monitor.set_maintenance(true);
    assert!(monitor.refuses_all());
}
