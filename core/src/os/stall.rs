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
    /// None where nothing is known of this process.
    file: Option<KernelFile>,
    total: Window<1>,
}

impl Stall {
    /// Those of processors, memory and disks.
    ///
    /// All tasks of a machine never wait for processors, so there any one that does counts. But that
    /// others of a machine do says nothing of this process: without a group of its own it is not
    /// known. How long its threads wait to be run says nothing either: on a machine that is busy
    /// with something else, a process with next to nothing to do waits most of the time it is awake,
    /// and would refuse what it could serve.
    pub(super) fn all(root: &Path, group: Option<&Group>) -> [Self; 3] {
        let folder = group.map(|group| below(root, &group.folder()));
        // Every group has this file but the root, whose pressure is the machine's.
        let folder = folder.filter(|folder| folder.join("cgroup.events").exists());
        [("cpu", "some"), ("memory", "full"), ("io", "full")].map(|(name, kind)| {
            let own = folder.as_ref().map(|folder| folder.join([name, ".pressure"].concat()));
            let own = own.filter(|path| path.exists());
            let machine = (name != "cpu").then(|| root.join("proc/pressure").join(name));
            let file = own.or(machine).map(KernelFile::new);
            Self { kind, file, total: Window::default() }
        })
    }

    /// Which part of the last one to two seconds it was. The kernel's average of 10 s would hold a
    /// short spike back, and hold on to it when it is over; it stands in where there is no sample to
    /// compare with yet.
    pub(super) fn sample(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<f64> {
        let waited = parse::waited(&self.file.as_mut()?.read(buffer)?, self.kind)?;
        let Some((seconds, [risen])) = self.total.risen(now, [waited.total_us]) else {
            return Some(waited.avg10);
        };
        Some((risen / (seconds * 1e6)).clamp(0.0, 1.0))
    }
}
