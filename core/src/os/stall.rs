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
    total: Window<1>,
}

impl Stall {
    /// Those of processors, memory and disks.
    ///
    /// All tasks of a machine never wait for processors, so there any one that does counts.
    pub(super) fn all(root: &Path, group: Option<&Group>) -> [Self; 3] {
        let own = group.map(|group| below(root, &group.folder()));
        [("cpu", "some"), ("memory", "full"), ("io", "full")].map(|(name, kind)| {
            let own = own.as_ref().map(|folder| folder.join([name, ".pressure"].concat()));
            let own = own.filter(|path| path.exists());
            let path = own.unwrap_or_else(|| root.join("proc/pressure").join(name));
            Self { kind, file: KernelFile::new(path), total: Window::default() }
        })
    }

    /// Which part of the last one to two seconds it was. The kernel's average of 10 s would hold a
    /// short spike back, and hold on to it when it is over; it stands in where there is no sample to
    /// compare with yet.
    pub(super) fn sample(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<f64> {
        let waited = parse::waited(&self.file.read(buffer)?, self.kind)?;
        let Some((seconds, [risen])) = self.total.risen(now, [waited.total_us]) else {
            return Some(waited.avg10);
        };
        Some((risen / (seconds * 1e6)).clamp(0.0, 1.0))
    }
}
