//! The samplers on files recorded from containers, on malformed ones, and in a real control group.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as Monotonic};

use proptest::prelude::*;
use seawall::Instant;
use seawall::os::parse::Quota;
use seawall::os::{Groups, Sampler, Version, parse};
use seawall::pressure::{Signal, Signals};

const MIB: f64 = 1048576.0;

fn recorded(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/os").join(case)
}

fn at(seconds: f64) -> Instant {
    Instant::from_millis(seconds * 1000.0)
}

fn first(case: &str) -> (Sampler, Signals) {
    let mut sampler = Sampler::at(&recorded(case));
    let signals = sampler.sample(at(0.0));
    (sampler, signals)
}

/// Used mebibytes and the limit in mebibytes.
fn memory(signals: &Signals) -> (f64, f64) {
    let mib = |signal| signals.get(signal).expect("it is known") / MIB;
    (mib(Signal::MemoryUsed), mib(Signal::MemoryLimit))
}

/// A copy of a case that a test may write to.
struct Copy(PathBuf);

impl Copy {
    fn of(case: &str, name: &str) -> Self {
        let to = std::env::temp_dir().join(format!("seawall-os-{}-{name}", std::process::id()));
        copy(&recorded(case), &to);
        Self(to)
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.0.join(path), text).expect("a file of the copy");
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a file");
        }
    }
}

#[test]
fn v1_is_found_behind_the_path_of_the_host() {
    let (sampler, signals) = first("v1");
    assert_eq!(memory(&signals), (400.0 - 80.0, 512.0));
    assert_eq!(signals.get(Signal::Rss), Some(25600.0 * 4096.0));
    let container = sampler.container();
    assert_eq!(container.version, Some(Version::V1));
    assert_eq!(container.memory_limit, Some(512 << 20));
    let all = std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
    assert_eq!(container.cpus, all.min(1.5));
    assert_eq!(signals.get(Signal::CpuStall), None, "v1 has none, and the machine's says nothing");
}

#[test]
fn v2_in_its_own_namespace() {
    let (sampler, signals) = first("v2");
    assert_eq!(memory(&signals), (220.0 - 40.0, 256.0));
    assert_eq!(sampler.container().version, Some(Version::V2));
    assert_eq!(sampler.container().cpus, 0.5);
    let stalls = [Signal::CpuStall, Signal::MemoryStall, Signal::IoStall];
    assert_eq!(stalls.map(|signal| signals.get(signal)), [Some(0.41), Some(0.07), Some(0.02)]);
}

#[test]
fn no_limit_means_what_the_machine_uses_and_no_limit() {
    let machine = (16303428.0 - 9876544.0) * 1024.0;
    for case in ["v1-unlimited", "v2-unlimited"] {
        let (sampler, signals) = first(case);
        assert_eq!(signals.get(Signal::MemoryUsed), Some(machine), "{case}");
        assert_eq!(signals.get(Signal::MemoryLimit), None, "{case}");
        assert_eq!(sampler.container().memory_limit, None, "{case}");
        assert_eq!(signals.get(Signal::CpuThrottled), None, "{case}");
    }
}

#[test]
fn of_nested_groups_the_nearest_to_its_limit_counts() {
    let (sampler, signals) = first("nested");
    assert_eq!(memory(&signals), (372.0 - 8.0, 384.0), "the pod, not the container in it");
    assert_eq!(sampler.container().memory_limit, Some(384 << 20));
    assert!(sampler.container().cpus <= 1.0);
    assert_eq!(signals.get(Signal::CpuStall), Some(0.41), "of the innermost group");
}

#[test]
fn controllers_in_v1_and_pressure_in_v2() {
    let (sampler, signals) = first("hybrid");
    assert_eq!(memory(&signals), (49.0, 100.0));
    assert_eq!(sampler.container().version, Some(Version::V1));
    assert_eq!(sampler.container().cpus, 0.5);
    assert_eq!(signals.get(Signal::MemoryStall), Some(0.07));
}

#[test]
fn memory_high_is_the_limit_and_its_events_mean_that_it_is_reached() {
    let files = Copy::of("v2-high", "high");
    let mut sampler = Sampler::at(&files.0);
    let used = (201326592.0 - 20132659.0) / MIB;
    assert_eq!(memory(&sampler.sample(at(0.0))), (used, 192.0));
    assert_eq!(memory(&sampler.sample(at(0.5))), (used, 192.0), "events of before do not count");
    files.write("sys/fs/cgroup/memory.events", "low 0\nhigh 18\nmax 0\n");
    assert_eq!(memory(&sampler.sample(at(1.0))), (192.0, 192.0));
    for half in 3..8 {
        sampler.sample(at(f64::from(half) / 2.0));
    }
    assert_eq!(memory(&sampler.sample(at(4.0))).0, used, "no more events: it is over");
    // Page cache that is read through the limit makes events, but no pressure.
    files.write("sys/fs/cgroup/memory.events", "low 0\nhigh 90\nmax 0\n");
    files.write("sys/fs/cgroup/memory.stat", "inactive_file 150994944\n");
    assert_eq!(memory(&sampler.sample(at(4.5))).0, 48.0);
}

#[test]
fn throttling_is_a_part_of_the_periods_that_passed() {
    let files = Copy::of("v2", "throttled");
    let mut sampler = Sampler::at(&files.0);
    assert_eq!(sampler.sample(at(0.0)).get(Signal::CpuThrottled), None, "nothing to compare with");
    let stat = |periods: u32, throttled: u32| {
        let text = format!("nr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec 1\n");
        files.write("sys/fs/cgroup/cpu.stat", &text);
    };
    stat(20010, 405);
    assert_eq!(sampler.sample(at(1.0)).get(Signal::CpuThrottled), Some(0.5));
    stat(20012, 407);
    let burst = sampler.sample(at(2.0)).get(Signal::CpuThrottled).expect("known");
    assert!((burst - 0.35).abs() < 1e-9, "{burst}: 7 of 20 periods, not 7 of 12");
    stat(3, 0);
    assert_eq!(sampler.sample(at(3.0)).get(Signal::CpuThrottled), Some(0.0), "counters fell");
}

#[test]
fn without_a_group_the_processors_others_wait_for_do_not_count() {
    let files = Copy::of("v2-unlimited", "own");
    let mut sampler = Sampler::at(&files.0);
    assert_eq!(sampler.sample(at(0.0)).get(Signal::CpuStall), None);
    files.write("proc/pressure/cpu", "some avg10=99.00 avg60=9.00 avg300=9.00 total=6627810207\n");
    assert_eq!(sampler.sample(at(1.0)).get(Signal::CpuStall), None);
    assert!(sampler.sample(at(2.0)).get(Signal::MemoryStall).is_some(), "that concerns all");
}

#[test]
fn waiting_is_measured_and_not_averaged() {
    let files = Copy::of("v2", "psi");
    let mut sampler = Sampler::at(&files.0);
    sampler.sample(at(0.0));
    let cpu = |total: u64| {
        let text = format!("some avg10=41.00 avg60=20.00 avg300=5.00 total={total}\n");
        files.write("sys/fs/cgroup/cpu.pressure", &text);
    };
    cpu(100_900_000);
    let signals = sampler.sample(at(1.0));
    assert_eq!(signals.get(Signal::CpuStall), Some(0.9));
    assert_eq!(signals.get(Signal::MemoryStall), Some(0.0));
    sampler.sample(at(2.0));
    assert_eq!(sampler.sample(at(3.0)).get(Signal::CpuStall), Some(0.0), "clear within 2 s");
}

#[test]
fn a_limit_that_changes_and_a_process_that_moves_are_noticed() {
    let files = Copy::of("nested", "moved");
    let mut sampler = Sampler::at(&files.0);
    sampler.sample(at(0.0));
    files.write("sys/fs/cgroup/kubepods.slice/pod-a.slice/memory.max", "805306368\n");
    assert_eq!(memory(&sampler.sample(at(9.0))).1, 384.0, "not looked at again yet");
    assert_eq!(memory(&sampler.sample(at(10.0))).1, 768.0);
    files.write("proc/self/cgroup", "0::/kubepods.slice\n");
    assert_eq!(memory(&sampler.sample(at(20.0))), (2048.0 - 100.0, 8192.0));
}

#[test]
fn nothing_there_is_nothing_known() {
    let mut sampler = Sampler::at(Path::new("/nonexistent/seawall"));
    for second in 0..30 {
        let signals = sampler.sample(at(f64::from(second)));
        assert!(signals.0.iter().all(|value| value.is_nan()));
    }
}

#[test]
fn this_process() {
    let mut sampler = Sampler::new();
    let signals = sampler.sample(at(0.0));
    let rss = signals.get(Signal::Rss).expect("known everywhere");
    assert!(rss > MIB && rss < 4096.0 * MIB, "{rss}");
    assert!(signals.get(Signal::MemoryUsed).is_some_and(|used| used > MIB));
    sampler.sample(at(0.5));
    #[allow(clippy::disallowed_methods, reason = "a test may measure")]
    let started = Monotonic::now();
    const ROUNDS: u32 = 2000;
    for round in 0..ROUNDS {
        sampler.sample(at(1.0 + f64::from(round) / 1000.0));
    }
    let each = started.elapsed() / ROUNDS;
    println!("a sample takes {each:?}, {:?}", sampler.container());
    assert!(each < Duration::from_millis(2), "{each:?}");
}

/// A control group of version 1 with 64 MiB, in which a process really takes memory.
#[cfg(target_os = "linux")]
#[test]
fn a_real_control_group() {
    let group = Path::new("/sys/fs/cgroup/memory").join(format!("seawall-{}", std::process::id()));
    let unified = Path::new("/sys/fs/cgroup").join(format!("seawall-{}", std::process::id()));
    let (group, limit) = if fs::create_dir(&group).is_ok() {
        (group, "memory.limit_in_bytes")
    } else if Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
        && fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory").is_ok()
        && fs::create_dir(&unified).is_ok()
    {
        (unified, "memory.max")
    } else {
        eprintln!("SKIPPED: no control group can be made here, which takes root and a mount");
        return;
    };
    let given = fs::write(group.join(limit), (64 << 20).to_string());
    let ran = given.and_then(|()| {
        // A shell that moves itself before it becomes the test again.
        let script =
            "echo $$ > \"$1/cgroup.procs\" && exec \"$2\" in_the_group --exact --nocapture";
        std::process::Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&group)
            .arg(std::env::current_exe()?)
            .env("SEAWALL_IN_GROUP", "1")
            .output()
    });
    _ = fs::remove_dir(&group);
    let output = ran.expect("a process in the group");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("measured in the group"), "{text}");
}

/// What the process in the group of [`a_real_control_group`] does; nothing elsewhere.
#[test]
fn in_the_group() {
    if std::env::var_os("SEAWALL_IN_GROUP").is_none() {
        return;
    }
    let mut sampler = Sampler::new();
    let (before, limit) = memory(&sampler.sample(at(0.0)));
    assert_eq!(limit, 64.0);
    let taken = vec![1_u8; 40 << 20];
    let (after, _) = memory(&sampler.sample(at(1.0)));
    assert!((36.0..46.0).contains(&(after - before)), "{before} to {after}");
    assert_eq!(sampler.container().memory_limit, Some(64 << 20));
    println!("measured in the group: {before} to {after} MiB, {}", taken.len());
}

#[test]
fn parsers_on_what_they_are_for() {
    assert_eq!(parse::number(" 42\n"), Some(42));
    assert_eq!(parse::number("max\n"), None);
    assert_eq!(parse::number("-1\n"), None);
    assert_eq!(parse::field("file 7\ninactive_file 9\n", "inactive_file"), Some(9));
    assert_eq!(parse::field("inactive_file_x 9\n", "inactive_file"), None);
    assert_eq!(parse::meminfo("MemTotal:  2 kB\n", "MemTotal"), Some(2048));
    assert_eq!(parse::meminfo("HugePages_Total: 3\n", "HugePages_Total"), Some(3));
    assert_eq!(parse::resident_pages("1 2 3\n"), Some(2));
    assert_eq!(Quota::v2("50000 100000\n").map(Quota::cpus), Some(0.5));
    assert_eq!(Quota::v2("max 100000\n"), None);
    assert_eq!(Quota::v2("5 0\n"), None);
    assert_eq!(Quota::v1("-1", "100000"), None);
    let waited = parse::waited("some avg10=250.0 total=3\n", "some").expect("a line");
    assert_eq!((waited.avg10, waited.total_us), (1.0, 3));
    assert_eq!(parse::waited("some avg10=nan total=3\n", "some"), None);
}

/// Files of the kernel, cut, spliced and sprinkled with what does not belong there.
fn malformed() -> impl Strategy<Value = String> {
    let mut texts = Vec::new();
    let mut folders = vec![recorded("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                texts.push(fs::read_to_string(entry.path()).expect("text"));
            }
        }
    }
    let odd =
        [":", "::", " - ", " ", "\n", "\0", "\\040", "\\7", "/", "/..", "max", "-1", "é", "=", ""];
    let odd: Vec<_> =
        odd.map(str::to_owned).into_iter().chain([u64::MAX.to_string() + "0"]).collect();
    let text = proptest::sample::select(texts);
    let piece = (text, any::<(u16, u16)>(), proptest::sample::select(odd), any::<u16>());
    let pieces = proptest::collection::vec(piece, 1..4).prop_map(|pieces| {
        let mut all = String::new();
        for (text, (from, to), odd, place) in pieces {
            let letters: Vec<char> = text.chars().collect();
            let index = |at: u16| usize::from(at) % (letters.len() + 1);
            let (from, to) = (index(from).min(index(to)), index(from).max(index(to)));
            let mut part = letters[from..to].to_vec();
            let place = usize::from(place) % (part.len() + 1);
            part.splice(place..place, odd.chars());
            all.extend(part);
        }
        all
    });
    prop_oneof![3 => pieces, 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn parsers_bear_any_text(text in malformed(), other in malformed()) {
        let groups = Groups::locate(&text, &other);
        for group in [&groups.memory, &groups.cpu, &groups.unified].into_iter().flatten() {
            prop_assert!(group.folders().count() <= 32);
            prop_assert!(group.folders().all(|folder| folder.starts_with(&group.mount)));
            prop_assert!(group.path.split('/').all(|part| part != ".."), "{:?}", group);
        }
        for name in ["inactive_file", "high", "nr_periods", "MemTotal", "", " "] {
            _ = parse::field(&text, name);
            _ = parse::meminfo(&text, name);
        }
        _ = parse::number(&text);
        _ = parse::resident_pages(&text);
        _ = parse::page_size(text.as_bytes());
        for quota in [Quota::v2(&text), Quota::v1(&text, &other)].into_iter().flatten() {
            prop_assert!(quota.cpus() > 0.0 && quota.cpus().is_finite());
        }
        for kind in ["some", "full"] {
            if let Some(waited) = parse::waited(&text, kind) {
                prop_assert!((0.0..=1.0).contains(&waited.avg10));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_sampler_bears_any_files(
        texts in proptest::collection::vec((0_usize..15, malformed()), 1..12),
    ) {
        let files = Copy::of("v2", "malformed");
        let group = [
            "memory.max", "memory.high", "memory.current", "memory.stat", "memory.events",
            "cpu.max", "cpu.stat", "cpu.pressure", "memory.pressure", "io.pressure",
        ];
        let group = group.map(|name| format!("sys/fs/cgroup/{name}"));
        let process = ["meminfo", "self/statm", "self/cgroup", "self/mountinfo", "self/auxv"];
        let all: Vec<_> = group.into_iter().chain(process.map(|name| format!("proc/{name}"))).collect();
        let mut sampler = Sampler::at(&files.0);
        for (step, (file, text)) in texts.iter().enumerate() {
            files.write(&all[*file], text);
            let signals = sampler.sample(at(step as f64 * 4.0));
            prop_assert!(signals.0.iter().all(|value| value.is_nan() || *value >= 0.0));
            for part in [Signal::CpuThrottled, Signal::CpuStall, Signal::MemoryStall, Signal::IoStall] {
                prop_assert!(signals.get(part).is_none_or(|value| value <= 1.0));
            }
        }
    }
}
