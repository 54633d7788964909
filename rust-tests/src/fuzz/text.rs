//! Everything that is read from others: whatever comes, it is taken or left, and never a panic.

use std::time::Duration;

use seawall::classify::{Facts, Source, Wait, classify as judge, http_date};
use seawall::http::{Head, server_name};
use seawall::os::parse::{self, Quota};
use seawall::os::{Groups, Version};
use seawall::pressure::Signals;
use seawall::pressure::recorder::{Entry, Kind, Recorder, Recording, size};
use seawall::timeout::remaining;

use super::bytes::Bytes;

/// In 2027.
const NOW_MS: f64 = 1_800_000_000_000.0;

/// Heads of requests, whole and in pieces.
pub fn head(data: &[u8]) {
    let whole = Head::parse(data);
    assert!(whole.bytes <= data.len());
    if whole.complete {
        assert!(whole.is_http1 && whole.bytes > 0);
        // What stands behind the head says nothing of it.
        assert_eq!(Head::parse(&data[..whole.bytes]), whole);
        let before = Head::parse(&data[..whole.bytes - 1]);
        assert!(!before.complete, "it ended before its end");
        for (name, value) in &whole.headers {
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(whole.header(name).is_some());
            assert!(!value.contains(['\r', '\n', '\0']));
        }
    } else {
        assert_eq!(whole.bytes, data.len());
    }
    if let Some(name) = server_name(data) {
        assert!(!name.is_empty() && name.is_ascii());
    }
}

/// Headers that speak of waiting, a name and a value a line.
pub fn wait(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut wait = Wait::default();
    for line in text.lines() {
        let (name, value) = line.split_once(':').unwrap_or(("retry-after", line));
        wait.set(name, value);
        if let Some(date) = http_date(value, NOW_MS) {
            assert!(date.is_finite());
        }
        if let Some(left) = remaining(value) {
            assert!(left <= Duration::from_nanos(u64::MAX));
        }
    }
    for now in [NOW_MS, 0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX] {
        let asked = [wait.duration(true, now), wait.duration(false, now)];
        if let [throttled, Some(any)] = asked {
            assert_eq!(throttled, Some(any), "a wait that stands by itself counts for all");
        }
    }
}

/// Failures as drivers show them.
pub fn classify(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let source = Source::from_number(bytes.below(8));
    let number = Some(bytes.u64() as i32).filter(|_| bytes.bool());
    let status = bytes.below(1000) as u16;
    let flags = u32::from(bytes.byte());
    let text = String::from_utf8_lossy(bytes.rest());
    let known = Facts::from_fields(&text, flags);
    let facts = Facts { source, number, status, now_ms: NOW_MS, ..known };
    let verdict = judge(&facts);
    assert_eq!(verdict, judge(&facts));
    if let Some(verdict) = verdict {
        let wait = verdict.retry_after;
        assert_eq!(seawall::classify::Verdict::from_bits(verdict.to_bits(), wait), verdict);
    }
}

/// The texts of `/proc` and of control groups.
pub fn os(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once('\0').unwrap_or((&text, ""));
    let _ = (parse::number(first), parse::resident_pages(first), parse::page_size(data));
    let _ = (parse::field(first, "anon"), parse::meminfo(first, "MemAvailable"));
    for quota in [Quota::v2(first), Quota::v1(first, second)].into_iter().flatten() {
        assert!(quota.cpus() >= 0.0, "{quota:?}");
    }
    for kind in ["some", "full"] {
        let waited = parse::waited(first, kind);
        assert!(waited.is_none_or(|waited| (0.0..=1.0).contains(&waited.avg10)));
    }
    let groups = Groups::locate(first, second);
    for group in [&groups.memory, &groups.cpu].into_iter().flatten() {
        let (folder, around) = (group.folder(), group.folders().count());
        assert!(around <= 32, "{folder} has {around} around it");
        assert!(matches!(group.version, Version::V1 | Version::V2));
    }
}

/// Files that ought to be recordings: any bytes, and a recording of which some were changed.
pub fn recording(data: &[u8]) {
    let sorted = |read: Recording| {
        assert!(read.records.is_sorted_by(|one, next| one.number < next.number));
        read.records.len()
    };
    Recording::read(data).map(sorted);
    let mut bytes = Bytes::new(data);
    let (room, written) = (usize::from(bytes.byte() % 5) + 1, usize::from(bytes.byte() % 12));
    let mut recorder = Recorder::new(vec![0; size(room)], 7, NOW_MS).expect("there is room");
    for number in 0..written {
        let now = seawall::Instant::from_millis(number as f64);
        let (signals, route) = (Signals::default(), "GET /a");
        recorder.record(&Entry {
            now,
            kind: Kind::Sample,
            level: 1,
            pressure: 0.5,
            signals,
            route,
        });
    }
    let mut file = recorder.bytes().to_vec();
    let whole = Recording::read(&file).map(sorted);
    assert_eq!(whole, Some(written.min(room)), "it reads what it wrote");
    let mut damaged = 0;
    while !bytes.is_empty() {
        let place = usize::try_from(bytes.u64()).unwrap_or(0) % file.len();
        file[place] ^= bytes.byte();
        damaged += 1;
    }
    if let Some(read) = Recording::read(&file) {
        // A damaged record is left out, and no other.
        assert!(sorted(read) + damaged >= written.min(room));
    }
}
