//! The flight recorder: what is read is what was written, and nothing else, whatever became of the bytes.

use proptest::prelude::*;
use seawall::Instant;
use seawall::pressure::recorder::{Entry, Kind, Recorder, Recording, size};
use seawall::pressure::{Signal, Signals};

fn recorder(room: usize) -> Recorder<Vec<u8>> {
    Recorder::new(vec![7; size(room)], 99, 1000.0).expect("there is room")
}

fn write(recorder: &mut Recorder<Vec<u8>>, number: u64, route: &str) {
    let mut signals = Signals::default();
    signals.set(Signal::Block, number as f64);
    let now = Instant::from_millis(number as f64 * 100.0);
    let kind = [Kind::Sample, Kind::Stall, Kind::StallEnd][(number % 3) as usize];
    recorder.record(&Entry { now, kind, level: 2, pressure: 0.5, signals, route });
}

#[test]
fn the_last_records_are_kept() {
    let mut recorder = recorder(10);
    assert_eq!(recorder.snapshot().records, []);
    for number in 1..=25 {
        write(&mut recorder, number, "GET /orders/:id");
    }
    let recording = recorder.snapshot();
    assert_eq!((recording.process, recording.wall_ms, recording.torn), (99, 1000.0, 0));
    let numbers: Vec<u64> = recording.records.iter().map(|record| record.number).collect();
    assert_eq!(numbers, (16..=25).collect::<Vec<u64>>());
    let last = recording.records.last().expect("records");
    assert_eq!(last.at, Instant::from_millis(2500.0));
    assert_eq!((last.kind, last.level, last.pressure), (Kind::Stall, 2, 0.5));
    assert_eq!(last.signals.get(Signal::Block), Some(25.0));
    assert_eq!(last.signals.get(Signal::Rss), None);
    assert_eq!(last.route, "GET /orders/:id");
}

#[test]
fn a_long_route_is_cut_between_letters() {
    let mut recorder = recorder(1);
    write(&mut recorder, 1, &"é".repeat(200));
    assert_eq!(recorder.snapshot().records[0].route, "é".repeat(64));
    write(&mut recorder, 2, &("x".to_owned() + &"é".repeat(200)));
    assert_eq!(recorder.snapshot().records[0].route, "x".to_owned() + &"é".repeat(63));
}

#[test]
fn no_room_no_recorder() {
    assert!(Recorder::new(vec![0; size(1) - 1], 1, 0.0).is_none());
    assert!(Recorder::new(Vec::new(), 1, 0.0).is_none());
    assert!(Recording::read(&[]).is_none());
    assert!(Recording::read(&[0; 4096]).is_none());
}

#[test]
fn a_torn_record_is_recognised() {
    let mut recorder = recorder(4);
    for number in 1..=4 {
        write(&mut recorder, number, "GET /");
    }
    let before = recorder.bytes().to_vec();
    write(&mut recorder, 5, "POST /much/longer");
    // The first place: how far the writing of the fifth came when the process ended.
    for written in 1..256 {
        let mut bytes = before.clone();
        bytes[64..64 + written].copy_from_slice(&recorder.bytes()[64..64 + written]);
        let recording = Recording::read(&bytes).expect("a header");
        let whole = bytes[64..320] == recorder.bytes()[64..320];
        assert_eq!(recording.torn, usize::from(!whole), "{written}");
        assert_eq!(recording.records.len(), 3 + usize::from(whole), "{written}");
    }
}

proptest! {
    #[test]
    fn damage_never_makes_records(
        count in 0_u64..40,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut recorder = recorder(16);
        for number in 1..=count {
            write(&mut recorder, number, "GET /");
        }
        // As text: what is not known is NaN, which equals nothing.
        let text = |recording: &Recording| -> Vec<String> {
            recording.records.iter().map(|record| format!("{record:?}")).collect()
        };
        let honest = text(&recorder.snapshot());
        let mut bytes = recorder.bytes().to_vec();
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Some(recording) = Recording::read(&bytes) {
            prop_assert!(text(&recording).iter().all(|record| honest.contains(record)));
        }
    }

    #[test]
    fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(Recording::read(&bytes).is_none());
    }
}
