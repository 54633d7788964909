//! For which part of the time tasks waited (PSI).

use std::path::Path;
use std::vec::Vec;

use super::cgroup::Group;
use super::file::KernelFile;
use super::limits::below;
use super::parse;
use super::window::Window;
use crate::time::Instant;

/// A pressure file: the process's own group's, the machine's where that has none.
#[derive(Debug)]
pub(super) struct Stall {
    kind: &'static str,
    file: KernelFile,
    /// How long this process waited for a processor, where the file is the machine's.
    own: Option<KernelFile>,
    total: Window<1>,
}

impl Stall {
    /// Those of processors, memory and disks.
    ///
    /// All tasks of a machine never wait for processors, so there any one that does counts. But that
    /// others of a machine do says nothing of this process: without a group of its own it counts how
    /// long its first thread waited to be run.
    pub(super) fn all(root: &Path, group: Option<&Group>) -> [Self; 3] {
        let folder = group.map(|group| below(root, &group.folder()));
        // Every group has this file but the root, whose pressure is the machine's.
        let folder = folder.filter(|folder| folder.join("cgroup.events").exists());
        [("cpu", "some"), ("memory", "full"), ("io", "full")].map(|(name, kind)| {
            let own = folder.as_ref().map(|folder| folder.join([name, ".pressure"].concat()));
            let own = own.filter(|path| path.exists());
            let waits = own.is_none() && name == "cpu";
            let path = own.unwrap_or_else(|| root.join("proc/pressure").join(name));
            Self {
                kind,
                file: KernelFile::new(path),
                own: waits.then(|| KernelFile::new(root.join("proc/self/schedstat"))),
                total: Window::default(),
            }
        })
    }

    /// Which part of the last one to two seconds it was. The kernel's average of 10 s would hold a
    /// short spike back, and hold on to it when it is over; it stands in where there is no sample to
    /// compare with yet.
    pub(super) fn sample(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<f64> {
        let own = self.own.as_mut().and_then(|file| parse::waited_ns(&file.read(buffer)?));
        let (total_us, before) = match own {
            Some(nanos) => (nanos / 1000, None),
            None => {
                let waited = parse::waited(&self.file.read(buffer)?, self.kind)?;
                (waited.total_us, Some(waited.avg10))
            }
        };
        let Some((seconds, [risen])) = self.total.risen(now, [total_us]) else { return before };
        Some((risen / (seconds * 1e6)).clamp(0.0, 1.0))
    }
}
