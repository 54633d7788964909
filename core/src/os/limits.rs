//! Groups that have a limit, and how near to it they are.

use std::path::{Path, PathBuf};
use std::vec::Vec;

use super::cgroup::{Group, Version};
use super::file::{KernelFile, text};
use super::parse::{self, Quota};
use super::window::Window;
use crate::time::Instant;

/// From which part of the limit on a rising count of `high` events means pressure: below, the kernel
/// only takes page cache back.
const SLOWED_FROM: f64 = 0.8;

/// Where `path`, as the kernel says it, lies below `root`.
pub(super) fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// A group whose memory is limited.
#[derive(Debug)]
pub(super) struct MemoryGroup {
    folder: PathBuf,
    limit: u64,
    inactive: &'static str,
    current: KernelFile,
    stat: KernelFile,
    events: Option<KernelFile>,
    high: Window<1>,
}

impl MemoryGroup {
    /// Brings `known` up to date: groups that are still limited keep what they counted.
    pub(super) fn look(
        known: &mut Vec<Self>,
        root: &Path,
        group: Option<&Group>,
        total: Option<u64>,
    ) {
        let mut before = core::mem::take(known);
        let Some(group) = group else { return };
        for folder in group.folders() {
            let folder = below(root, &folder);
            let limit = limit(&folder, group.version);
            // More than the machine has is how v1 says that there is none.
            let Some(limit) = limit.filter(|limit| total.is_none_or(|total| *limit < total)) else {
                continue;
            };
            let same = before.iter().position(|old| old.folder == folder);
            let kept = same.map(|place| before.swap_remove(place));
            let mut entry = kept.unwrap_or_else(|| Self::new(folder, group.version));
            entry.limit = limit;
            known.push(entry);
        }
    }

    fn new(folder: PathBuf, version: Version) -> Self {
        let file = |name| KernelFile::new(folder.join(name));
        let (current, inactive, events) = match version {
            Version::V1 => ("memory.usage_in_bytes", "total_inactive_file", None),
            Version::V2 => ("memory.current", "inactive_file", Some(file("memory.events"))),
        };
        Self {
            limit: 0,
            inactive,
            current: file(current),
            stat: file("memory.stat"),
            events,
            high: Window::default(),
            folder,
        }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes in use, page cache that can go left out, and the limit.
    pub(super) fn sample(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<(f64, f64)> {
        let current = parse::number(&self.current.read(buffer)?)?;
        let inactive = self.stat.read(buffer).and_then(|text| parse::field(&text, self.inactive));
        let used = current.saturating_sub(inactive.unwrap_or(0)) as f64;
        let limit = self.limit.max(1) as f64;
        let high = self.events.as_mut().and_then(|file| parse::field(&file.read(buffer)?, "high"));
        let risen = high.and_then(|count| self.high.risen(now, [count]));
        let slowed = risen.is_some_and(|(_, [count])| count > 0.0) && used >= SLOWED_FROM * limit;
        Some((if slowed { used.max(limit) } else { used }, limit))
    }
}

/// The limit of the group in `folder`, nothing where it has none of its own.
fn limit(folder: &Path, version: Version) -> Option<u64> {
    let bytes = |name| text(&folder.join(name)).and_then(|text| parse::number(&text));
    match version {
        Version::V1 => bytes("memory.limit_in_bytes"),
        Version::V2 => [bytes("memory.max"), bytes("memory.high")].into_iter().flatten().min(),
    }
}

/// A group whose processor time is limited.
#[derive(Debug)]
pub(super) struct ThrottledGroup {
    folder: PathBuf,
    quota: Quota,
    stat: KernelFile,
    counts: Window<2>,
}

impl ThrottledGroup {
    /// Brings `known` up to date: groups that are still limited keep what they counted.
    pub(super) fn look(known: &mut Vec<Self>, root: &Path, group: Option<&Group>) {
        let mut before = core::mem::take(known);
        let Some(group) = group else { return };
        for folder in group.folders() {
            let folder = below(root, &folder);
            let Some(quota) = quota(&folder, group.version) else { continue };
            let same = before.iter().position(|old| old.folder == folder);
            let kept = same.map(|place| before.swap_remove(place));
            let stat = || KernelFile::new(folder.join("cpu.stat"));
            let mut entry = kept.unwrap_or_else(|| Self {
                folder: folder.clone(),
                quota,
                stat: stat(),
                counts: Window::default(),
            });
            entry.quota = quota;
            known.push(entry);
        }
    }

    pub(super) fn quota(&self) -> Quota {
        self.quota
    }

    /// Which part of the last periods it was throttled in.
    ///
    /// The kernel counts no period in which nothing ran. Held against those alone, one short burst
    /// of an idle process would be all of them; so it is held against the time that has passed.
    pub(super) fn sample(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<f64> {
        let text = self.stat.read(buffer)?;
        let counts = [parse::field(&text, "nr_throttled")?, parse::field(&text, "nr_periods")?];
        let (seconds, [throttled, periods]) = self.counts.risen(now, counts)?;
        let passed = seconds * 1e6 / self.quota.period_us.max(1) as f64;
        Some((throttled / periods.max(passed).max(1.0)).clamp(0.0, 1.0))
    }
}

fn quota(folder: &Path, version: Version) -> Option<Quota> {
    let read = |name| text(&folder.join(name));
    match version {
        Version::V1 => Quota::v1(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?),
        Version::V2 => Quota::v2(&read("cpu.max")?),
    }
}
