//! Pressure against a naive model that keeps everything it ever saw, and the traps of the plugin it
//! replaces, by name.

use std::time::Duration;

use proptest::prelude::*;
use seawall::limit::priority::{Ask, Priority, Rank};
use seawall::options::Rule;
use seawall::pressure::{
    Answer, Cause, Judge, Level, LimitOptions, Monitor, PressureConfig, PressureOptions, Shed,
    Signal, Signals, board,
};
use seawall::{Instant, Rng};
use seawall_tests::cases;

fn ms(ms: u64) -> Instant {
    Instant::ZERO.after(Duration::from_millis(ms))
}

fn signals<const N: usize>(known: [(Signal, f64); N]) -> Signals {
    let mut signals = Signals::default();
    known.into_iter().for_each(|(signal, value)| signals.set(signal, value));
    signals
}

fn judge(config: PressureConfig) -> Judge {
    Judge::new(config, 1).unwrap()
}

fn medium() -> Ask<'static> {
    Ask::class(Priority::Medium)
}

/// Block, heap and utilisation of each observation there ever was, judged anew each time.
#[derive(Default)]
struct Model {
    seen: Vec<[f64; 3]>,
    levels: Vec<usize>,
}

const LIMITS: [(f64, f64); 3] = [(100.0, 250.0), (0.85, 0.95), (0.90, 0.98)];
const ENTER: [f64; 5] = [0.0, 0.0, 0.25, 0.5, 1.0];

impl Model {
    fn share(x: f64, (soft, hard): (f64, f64)) -> f64 {
        if x.is_finite() { ((x - soft) / (hard - soft)).clamp(0.0, 1.0) } else { 0.0 }
    }

    fn shares(values: &[f64; 3]) -> impl Iterator<Item = f64> {
        values.iter().zip(LIMITS).map(|(x, limits)| Self::share(*x, limits))
    }

    fn pressure(values: &[f64; 3]) -> f64 {
        Self::shares(values).fold(0.0, f64::max)
    }

    /// Whether an observation is reason enough to stay on `level`.
    fn holds(values: &[f64; 3], level: usize) -> bool {
        let near =
            values.iter().zip(LIMITS).any(|(x, (soft, _))| x.is_finite() && *x >= 0.9 * soft);
        let pressure = Self::pressure(values);
        if level == 1 { near || pressure > 0.0 } else { pressure >= 0.9 * ENTER[level] }
    }

    fn observe(&mut self, values: [f64; 3]) -> (usize, f64) {
        let pressure = Self::pressure(&values);
        self.seen.push(values);
        let before = self.levels.last().copied().unwrap_or(0);
        let entered = match pressure {
            1.0 => 4,
            p if p >= 0.5 => 3,
            p if p >= 0.25 => 2,
            p if p > 0.0 => 1,
            _ => 0,
        };
        let held = |values| (1..5).rev().find(|level| Self::holds(values, *level)).unwrap_or(0);
        // How many observations in a row do not hold the level it has been on all the time.
        let mut run = 0;
        for (index, values) in self.seen.iter().enumerate().rev() {
            let level = if index == 0 { 0 } else { self.levels[index - 1] };
            if level != before || held(values) >= before {
                break;
            }
            run += 1;
        }
        let level = if run >= 2 {
            let from = self.seen.len() - run;
            self.seen[from..].iter().map(held).max().unwrap_or(0)
        } else {
            before.max(entered)
        };
        self.levels.push(level);
        (level, pressure.max(ENTER[level]))
    }
}

fn reading() -> impl Strategy<Value = [f64; 3]> {
    let block =
        prop_oneof![4 => Just(0.0), 4 => 80.0f64..260.0, 1 => Just(f64::NAN), 1 => Just(9e9)];
    let heap = prop_oneof![6 => 0.1f64..0.8, 4 => 0.7f64..1.0, 1 => Just(f64::INFINITY)];
    let busy = prop_oneof![6 => 0.0f64..0.8, 4 => 0.8f64..1.0, 1 => Just(f64::NAN)];
    (block, heap, busy).prop_map(|(block, heap, busy)| [block, heap, busy])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(300)))]

    #[test]
    fn levels_are_those_of_the_model(readings in prop::collection::vec(reading(), 1..120)) {
        let mut judge = judge(PressureConfig::default());
        let mut model = Model::default();
        for (number, values) in readings.into_iter().enumerate() {
            let [block, heap, busy] = values;
            judge.observe(ms(number as u64 * 20), &signals([
                (Signal::Block, block), (Signal::HeapUsed, heap * 4e9), (Signal::HeapLimit, 4e9),
                (Signal::Utilization, busy),
            ]));
            let (level, pressure) = model.observe(values.map(|x| x * 4e9 / 4e9));
            prop_assert_eq!(judge.level() as usize, level, "{:?}", model.seen);
            prop_assert!((judge.pressure() - pressure).abs() < 1e-9);
            prop_assert_eq!(judge.threshold() == 0, pressure == 0.0);
        }
    }

    /// What is not known, in whatever mixture with what is harmless, never leads to a refusal.
    #[test]
    fn nothing_unknown_refuses(
        place in 0usize..17, odd in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ) {
        let mut judge = judge(PressureConfig::default());
        let mut known = Signals::default();
        known.set(Signal::ALL[place], odd);
        judge.observe(ms(0), &known);
        prop_assert_eq!(judge.level(), Level::Normal);
        prop_assert_eq!(judge.admit(&medium()), Answer::Admitted);
    }

    /// The lower ones are refused before the higher ones, and the critical ones never.
    #[test]
    fn refusals_are_graded(seed in 0u64..1000, pressure in 0.05f64..1.0) {
        let mut judge = Judge::new(PressureConfig::default(), seed).unwrap();
        let block = 100.0 + 150.0 * pressure;
        judge.observe(ms(0), &signals([(Signal::Block, block)]));
        let mut rng = Rng::new(seed);
        let mut counts = [[0u32; 2]; 5];
        let classes =
            [Priority::VeryLow, Priority::Low, Priority::Medium, Priority::High, Priority::VeryHigh];
        for _ in 0..3000 {
            let class = classes[(rng.unit() * 5.0) as usize];
            let shed = judge.admit(&Ask::class(class)).is_shed();
            counts[class as usize][usize::from(shed)] += 1;
        }
        let share = |[let_in, shed]: [u32; 2]| f64::from(shed) / f64::from(let_in + shed);
        let shares = counts.map(share);
        prop_assert_eq!((shares[3], shares[4]), (0.0, 0.0));
        prop_assert!(shares[0] + 0.05 >= shares[1] && shares[1] + 0.05 >= shares[2], "{:?}", shares);
        let all = counts.iter().map(|[_, shed]| f64::from(*shed)).sum::<f64>() / 3000.0;
        prop_assert!((all - pressure.min(0.6)).abs() < 0.08, "{all} of {pressure}");
    }

    #[test]
    fn retry_after_is_the_drain_times_one_to_two(seed in 0u64..1000, lasted in 0u64..100_000) {
        let mut judge = Judge::new(PressureConfig::default(), seed).unwrap();
        judge.observe(ms(0), &signals([(Signal::Block, 300.0)]));
        judge.observe(ms(lasted), &signals([(Signal::Block, 300.0)]));
        let drain = lasted.min(30_000).div_ceil(1000) as u32;
        let mut seen = Vec::new();
        for _ in 0..200 {
            let Answer::Shed(Shed { retry_after_s, .. }) = judge.admit(&medium()) else { panic!() };
            seen.push(retry_after_s);
        }
        if lasted < 1000 {
            prop_assert!(seen.iter().all(|s| *s == 0), "below a second nothing is said");
        } else {
            prop_assert!(seen.iter().all(|s| (drain..=2 * drain).contains(s)), "{:?}", seen);
            prop_assert!(seen.iter().any(|s| *s != seen[0]), "never constant");
        }
    }
}

/// UP 1: utilisation is what the sampler says of the last second, and nothing of before is kept.
#[test]
fn up_1_idle_then_busy_trips_and_busy_then_idle_clears() {
    let mut judge = judge(PressureConfig::default());
    for number in 0..1000 {
        judge.observe(ms(number * 20), &signals([(Signal::Utilization, 0.01)]));
    }
    judge.observe(ms(20_000), &signals([(Signal::Utilization, 0.99)]));
    assert_eq!(judge.level(), Level::Full);
    for number in 0..400 {
        judge.observe(ms(20_020 + number * 20), &signals([(Signal::Utilization, 1.0)]));
    }
    for number in 0..2 {
        judge.observe(ms(28_020 + number * 20), &signals([(Signal::Utilization, 0.02)]));
    }
    assert_eq!((judge.level(), judge.threshold()), (Level::Normal, 0));
}

/// UP 2: a stall counts while it happens, by its age and not by a mean.
#[test]
fn up_2_a_stall_trips_within_one_observation() {
    let mut judge = judge(PressureConfig::default());
    for number in 0..50 {
        judge.observe(ms(number * 20), &signals([(Signal::Block, 0.0), (Signal::DelayP99, 0.4)]));
    }
    for (age, level) in [(99.0, 0), (101.0, 1), (150.0, 2), (180.0, 3), (250.0, 4)] {
        judge.observe(ms(1_000 + age as u64), &signals([(Signal::Block, age)]));
        assert_eq!(judge.level() as u8, level, "{age}");
    }
    judge.observe(ms(1_300), &signals([(Signal::Block, 0.0)]));
    assert_eq!(judge.level(), Level::Full, "one quiet observation is not enough");
    judge.observe(ms(1_320), &signals([(Signal::Block, 0.0)]));
    assert_eq!(judge.level(), Level::Normal);
    let seen = judge.explain();
    assert_eq!((seen.stalls, seen.stall_ms), (1, 250.0));
}

/// UP 3: the empty histogram's infinity is not a delay.
#[test]
fn up_3_an_infinite_delay_is_not_known() {
    let mut judge = judge(PressureConfig::default());
    let odd = signals([(Signal::DelayP99, f64::INFINITY), (Signal::DelayMax, f64::NAN)]);
    judge.observe(ms(0), &odd);
    assert_eq!((judge.level(), judge.pressure()), (Level::Normal, 0.0));
    assert_eq!(judge.explain().gauges[Signal::DelayP99 as usize].value, None);
}

/// UP 7: not all or nothing, and not for ever: a share is refused, and one signal below its limit
/// does not make the level flap.
#[test]
fn up_7_graded_and_steady() {
    let mut judge = judge(PressureConfig::default());
    judge.observe(ms(0), &signals([(Signal::Utilization, 0.94)]));
    let shed = (0..2000).filter(|_| judge.admit(&medium()).is_shed()).count();
    assert!((850..1150).contains(&shed), "half of them: {shed}");
    let mut changes = 0;
    for number in 1..200u64 {
        let before = judge.level();
        let busy = if number % 2 == 0 { 0.905 } else { 0.895 };
        judge.observe(ms(number * 20), &signals([(Signal::Utilization, busy)]));
        changes += u32::from(judge.level() != before);
    }
    assert_eq!(changes, 1, "from high to elevated, where 0.9 of the soft limit holds it");
}

/// UP 8: those who are refused together are not told to return together.
#[test]
fn up_8_retry_after_is_spread() {
    let mut judge = judge(PressureConfig::default());
    for s in 0..11 {
        judge.observe(ms(s * 1000), &signals([(Signal::Block, 300.0)]));
    }
    let mut seconds: Vec<u32> = (0..300)
        .map(|_| match judge.admit(&medium()) {
            Answer::Shed(shed) => shed.retry_after_s,
            Answer::Admitted => panic!("full"),
        })
        .collect();
    seconds.sort_unstable();
    seconds.dedup();
    assert_eq!(seconds, (10..=20).collect::<Vec<_>>());
}

#[test]
fn without_a_limit_of_memory_there_is_no_pressure() {
    let mut judge = judge(PressureConfig::default());
    for limit in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        let known = [(Signal::MemoryUsed, 9e12), (Signal::MemoryLimit, limit)];
        judge.observe(ms(0), &signals(known));
        assert_eq!(judge.level(), Level::Normal, "{limit}");
    }
    judge.observe(ms(0), &signals([(Signal::MemoryUsed, 94e6), (Signal::MemoryLimit, 100e6)]));
    assert_eq!((judge.level(), judge.signal()), (Level::Severe, Some(Signal::MemoryUsed)));
}

#[test]
fn every_signal_can_be_switched_off_and_given_other_limits() {
    for signal in Signal::ALL {
        if matches!(signal, Signal::HeapLimit | Signal::MemoryLimit | Signal::Queue) {
            continue;
        }
        let known = signals([(signal, 7.0), (Signal::HeapLimit, 1.0), (Signal::MemoryLimit, 1.0)]);
        let off = Signal::ALL.into_iter().fold(PressureConfig::default(), PressureConfig::without);
        let mut quiet = judge(off);
        quiet.observe(ms(0), &known);
        assert_eq!(quiet.level(), Level::Normal, "{signal:?}");
        let mut loud = judge(off.limit(signal, 6.0, 8.0));
        loud.observe(ms(0), &known);
        assert_eq!((loud.pressure(), loud.signal()), (0.5, Some(signal)));
    }
}

#[test]
fn a_queue_counts_once_it_stands() {
    let mut judge = judge(PressureConfig::default().limit(Signal::Queue, 5.0, 50.0));
    let wait = |ms| signals([(Signal::Queue, ms)]);
    for number in 0..5 {
        judge.observe(ms(number * 20), &wait(60.0));
        assert_eq!(judge.level(), Level::Normal);
    }
    judge.observe(ms(90), &wait(1.0));
    judge.observe(ms(100), &wait(60.0));
    judge.observe(ms(199), &wait(60.0));
    assert_eq!(judge.level(), Level::Normal, "it was short in between");
    judge.observe(ms(200), &wait(60.0));
    assert_eq!(judge.level(), Level::Full);
    judge.observe(ms(220), &Signals::default());
    judge.observe(ms(240), &Signals::default());
    assert_eq!(judge.level(), Level::Normal, "nobody waits");
}

#[test]
fn users_of_a_class_are_served_alike() {
    let mut judge = judge(PressureConfig::default());
    judge.observe(ms(0), &signals([(Signal::Utilization, 0.94)]));
    let ask = |user| Ask { rank: Rank::Class(Priority::Medium), user: Some(user) };
    let mut let_in = [0u32; 2];
    for number in 0..6000 {
        let (place, user) = if number % 10 == 0 { (0, "modest") } else { (1, "greedy") };
        let_in[place] += u32::from(!judge.admit(&ask(user)).is_shed());
    }
    assert!(let_in[0] > 550, "whoever asks for little gets it: {let_in:?}");
}

#[test]
fn a_dry_run_counts_and_lets_in_but_not_in_maintenance() {
    let config = PressureConfig { dry_run: true, ..PressureConfig::default() };
    let mut judge = judge(config);
    judge.observe(ms(0), &signals([(Signal::Block, 300.0)]));
    let answer = judge.admit(&medium());
    assert!(!answer.is_shed());
    let cause = Cause::Signal(Signal::Block);
    assert_eq!(answer, Answer::Shed(Shed { cause, retry_after_s: 0, dry_run: true }));
    assert_eq!(judge.explain().shed[Signal::Block as usize][2], 1);
    judge.set_maintenance(true);
    assert!(judge.admit(&Ask::class(Priority::VeryHigh)).is_shed());
    judge.set_maintenance(false);
    judge.observe(ms(20), &Signals::default());
    judge.observe(ms(40), &Signals::default());
    assert_eq!(judge.admit(&medium()), Answer::Admitted);
    assert_eq!(judge.explain().shed_in_all(), 2);
}

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
fn an_explanation_says_when_it_changes() {
    let mut judge = judge(PressureConfig::default());
    judge.observe(ms(0), &signals([(Signal::Block, 200.0)]));
    let seen = judge.explain();
    assert_eq!((seen.level, seen.leaves_after), (Level::Severe, 2));
    let below = seen.leaves_below.unwrap();
    assert!((below - 167.5).abs() < 1e-9);
    judge.observe(ms(20), &signals([(Signal::Block, below + 0.01)]));
    judge.observe(ms(40), &signals([(Signal::Block, below + 0.01)]));
    assert_eq!(judge.level(), Level::Severe);
    judge.observe(ms(60), &signals([(Signal::Block, below - 0.01)]));
    assert_eq!(judge.explain().leaves_after, 1);
    judge.observe(ms(80), &signals([(Signal::Block, below - 0.01)]));
    assert_eq!(judge.level(), Level::High);
}

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
