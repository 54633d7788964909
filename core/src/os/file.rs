//! A file of the kernel that is read again and again.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

/// No file that is asked for is longer; what is, is cut off.
const MOST: usize = 64 * 1024;

/// A file that stays open, so that a reading is one system call.
#[derive(Debug)]
pub(super) struct KernelFile {
    path: PathBuf,
    open: Option<File>,
}

impl KernelFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// The text, in `buffer`; nothing where there is no such file. What is not UTF-8 is replaced.
    pub(super) fn read<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Option<Cow<'b, str>> {
        let length = self.fill(buffer).inspect_err(|_| self.open = None).ok()?;
        Some(String::from_utf8_lossy(buffer.get(..length)?))
    }

    /// From the start to the end: the kernel writes the file anew for whoever reads from the start.
    #[cfg(unix)]
    fn fill(&mut self, buffer: &mut Vec<u8>) -> std::io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let file = match &mut self.open {
            Some(file) => file,
            none => none.insert(File::open(&self.path)?),
        };
        if buffer.is_empty() {
            buffer.resize(4096, 0);
        }
        let mut length = 0;
        loop {
            let rest = buffer.get_mut(length..).unwrap_or_default();
            let room = rest.len();
            match file.read_at(rest, length as u64)? {
                0 => return Ok(length),
                // The files of the kernel come whole where there is room for them.
                read if read < room => return Ok(length.saturating_add(read)),
                read => length = length.saturating_add(read),
            }
            if length >= MOST {
                return Ok(length);
            }
            buffer.resize(buffer.len().saturating_mul(2).min(MOST), 0);
        }
    }

    #[cfg(not(unix))]
    fn fill(&mut self, buffer: &mut Vec<u8>) -> std::io::Result<usize> {
        *buffer = std::fs::read(&self.path)?;
        buffer.truncate(MOST);
        Ok(buffer.len())
    }
}

/// The text of a file that is read now and then.
pub(super) fn text(path: &Path) -> Option<String> {
    let mut buffer = Vec::new();
    KernelFile::new(path.to_path_buf()).read(&mut buffer).map(Cow::into_owned)
}
