//! Reading all of it, at the pace of whoever asks.

use std::path::{Path, PathBuf};
use std::vec::Vec;

use super::cgroup::{Groups, Version};
use super::file::{KernelFile, text};
use super::limits::{MemoryGroup, ThrottledGroup};
use super::machine::{Machine, processors};
use super::parse;
use super::stall::Stall;
use crate::pressure::{Signal, Signals};
use crate::time::Instant;

/// After how many seconds it is looked again where the groups lie and what their limits are.
const LOOK_AGAIN: f64 = 10.0;

/// Reads what the operating system knows of this process, its container and its machine.
///
/// Files are kept open, so that a sample costs a few system calls (on Linux 10 to 40 µs). It is
/// meant to be asked every 100 ms to every few seconds. Where something cannot be read, its signal
/// is not known; nothing fails.
///
/// ```
/// use std::time::Duration;
/// use seawall::Instant;
/// use seawall::os::Sampler;
/// use seawall::pressure::Signal;
///
/// let mut sampler = Sampler::new();
/// let signals = sampler.sample(Instant::ZERO);
/// if let (Some(used), Some(limit)) =
///     (signals.get(Signal::MemoryUsed), signals.get(Signal::MemoryLimit))
/// {
///     println!("{:.0} % of the memory", 100.0 * used / limit);
/// }
/// // Throttling and waiting are measured from one sample to the next.
/// let later = sampler.sample(Instant::ZERO.after(Duration::from_secs(1)));
/// assert!(later.get(Signal::CpuStall).is_none_or(|part| (0.0..=1.0).contains(&part)));
/// ```
#[derive(Debug)]
pub struct Sampler {
    root: PathBuf,
    buffer: Vec<u8>,
    looked: Option<Instant>,
    groups: Groups,
    page: u64,
    total: Option<u64>,
    statm: KernelFile,
    meminfo: KernelFile,
    memory: Vec<MemoryGroup>,
    throttled: Vec<ThrottledGroup>,
    stalls: [Stall; 3],
    /// Where there is no `/proc`; never for recorded files.
    machine: Option<Machine>,
}

/// What is known of the container, or of the machine where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Container {
    /// By which interface memory is limited; nothing where there are no control groups.
    pub version: Option<Version>,
    /// The tightest limit of memory in bytes; nothing where no group limits it below what the
    /// machine has.
    pub memory_limit: Option<u64>,
    /// Processors that may be used at a time, such as 0.5: the tightest quota, else the machine's.
    pub cpus: f64,
}

impl Default for Sampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Sampler {
    /// A sampler of this process. Nothing is read before the first sample.
    #[must_use]
    pub fn new() -> Self {
        Self { machine: Some(Machine::default()), ..Self::at(Path::new("/")) }
    }

    /// A sampler that looks for `proc` and `sys` below `root`: recorded files, or where a host's are
    /// mounted.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
            buffer: Vec::new(),
            looked: None,
            groups: Groups::default(),
            page: 4096,
            total: None,
            statm: KernelFile::new(root.join("proc/self/statm")),
            meminfo: KernelFile::new(root.join("proc/meminfo")),
            memory: Vec::new(),
            throttled: Vec::new(),
            stalls: Stall::all(root, None),
            machine: None,
        }
    }

    /// What is known at `now`: memory, throttling, waiting. The signals of an event loop and of
    /// requests are not.
    ///
    /// Without a limit the memory in use is the machine's, and no limit is known: what others of a
    /// machine use is no reason for pressure on this process.
    ///
    /// A rising count of `high` in `memory.events` means that the kernel already slows the group
    /// down: with four fifths of the limit in use, all of it then counts as used.
    pub fn sample(&mut self, now: Instant) -> Signals {
        self.look(now);
        let mut signals = Signals::default();
        let mut set = |signal, value: Option<f64>| {
            if let Some(value) = value {
                signals.set(signal, value);
            }
        };
        set(Signal::Rss, self.resident());
        let nearest = self.memory(now);
        set(Signal::MemoryUsed, nearest.map(|(used, _)| used).or_else(|| self.machine_memory()));
        set(Signal::MemoryLimit, nearest.map(|(_, limit)| limit));
        let buffer = &mut self.buffer;
        let throttled = self.throttled.iter_mut().filter_map(|group| group.sample(now, buffer));
        set(Signal::CpuThrottled, throttled.reduce(f64::max));
        for (stall, signal) in
            self.stalls.iter_mut().zip([Signal::CpuStall, Signal::MemoryStall, Signal::IoStall])
        {
            set(signal, stall.sample(now, buffer));
        }
        signals
    }

    /// The limits as they were when last looked at, at most 10 s before the last sample.
    #[must_use]
    pub fn container(&self) -> Container {
        let memory_limit = self.memory.iter().map(MemoryGroup::limit).min();
        let quotas = self.throttled.iter().map(|group| group.quota().cpus());
        Container {
            version: self.groups.memory.as_ref().map(|group| group.version),
            memory_limit,
            cpus: quotas.fold(processors(), f64::min),
        }
    }

    /// Where the groups lie, and which have limits: a process may be moved, a limit be changed.
    fn look(&mut self, now: Instant) {
        if self.looked.is_some_and(|at| now.since(at).as_secs_f64() < LOOK_AGAIN) {
            return;
        }
        let read = |path: &str| text(&self.root.join(path)).unwrap_or_default();
        if self.looked.replace(now).is_none() {
            let auxv = std::fs::read(self.root.join("proc/self/auxv")).unwrap_or_default();
            self.page = parse::page_size(&auxv).unwrap_or(self.page);
        }
        self.total = parse::meminfo(&read("proc/meminfo"), "MemTotal");
        let groups = Groups::locate(&read("proc/self/cgroup"), &read("proc/self/mountinfo"));
        if groups.unified != self.groups.unified {
            self.stalls = Stall::all(&self.root, groups.unified.as_ref());
        }
        MemoryGroup::look(&mut self.memory, &self.root, groups.memory.as_ref(), self.total);
        ThrottledGroup::look(&mut self.throttled, &self.root, groups.cpu.as_ref());
        self.groups = groups;
    }

    fn resident(&mut self) -> Option<f64> {
        let pages = self.statm.read(&mut self.buffer).and_then(|text| parse::resident_pages(&text));
        let bytes = pages.map(|pages| pages.saturating_mul(self.page));
        let bytes = bytes.or_else(|| self.machine.as_mut()?.resident())?;
        Some(bytes as f64)
    }

    /// Used bytes and the limit of the group that is nearest to its limit.
    fn memory(&mut self, now: Instant) -> Option<(f64, f64)> {
        let buffer = &mut self.buffer;
        let groups = self.memory.iter_mut().filter_map(|group| group.sample(now, buffer));
        groups.reduce(|a, b| if b.0 * a.1 > a.0 * b.1 { b } else { a })
    }

    /// Used bytes of the machine.
    fn machine_memory(&mut self) -> Option<f64> {
        let known = self.meminfo.read(&mut self.buffer).and_then(|text| {
            let total = parse::meminfo(&text, "MemTotal")?;
            Some(total.saturating_sub(parse::meminfo(&text, "MemAvailable")?))
        });
        let used = known.or_else(|| Some(self.machine.as_mut()?.memory()?.0))?;
        Some(used as f64)
    }
}
