//! What the kernel's files say: text in, numbers out, and nothing where the text is malformed.
//!
//! These are what a [`Sampler`](super::Sampler) reads its files with; they open none themselves.

use alloc::vec::Vec;

/// The number a file consists of; nothing for `max`, `-1` and whatever else is no number.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The number behind `name` in a file of lines such as `inactive_file 4096`.
#[must_use]
pub fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_ascii_whitespace);
    let mut found = lines.find_map(|mut words| (words.next() == Some(name)).then_some(words))?;
    found.next()?.parse().ok()
}

/// The bytes behind `name` in `/proc/meminfo`, whose lines are such as `MemTotal: 16384 kB`.
#[must_use]
pub fn meminfo(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let mut words = rest.split_ascii_whitespace();
    let count: u64 = words.next()?.parse().ok()?;
    Some(match words.next() {
        Some("kB") => count.saturating_mul(1024),
        _ => count,
    })
}

/// Resident pages of the process, from `/proc/self/statm`.
#[must_use]
pub fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Bytes of a page, from `/proc/self/auxv`: pairs of machine words, of which number 6 is the page.
#[must_use]
pub fn page_size(auxv: &[u8]) -> Option<u64> {
    const AT_PAGESZ: u64 = 6;
    let (words, _) = auxv.as_chunks::<{ size_of::<usize>() }>();
    let mut words = words.iter().map(|word| usize::from_ne_bytes(*word) as u64);
    loop {
        let (kind, value) = (words.next()?, words.next()?);
        if kind == AT_PAGESZ {
            return Some(value).filter(|bytes| bytes.is_power_of_two());
        }
    }
}

/// How much processor time a group may have in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Microseconds of processor time.
    pub quota_us: u64,
    /// Microseconds of a period.
    pub period_us: u64,
}

impl Quota {
    /// From `cpu.max` of cgroup v2, such as `50000 100000`; nothing where it says `max`.
    #[must_use]
    pub fn v2(cpu_max: &str) -> Option<Self> {
        let mut words = cpu_max.split_ascii_whitespace();
        let quota_us = words.next()?.parse().ok()?;
        Self { quota_us, period_us: words.next()?.parse().ok()? }.sound()
    }

    /// From `cpu.cfs_quota_us` and `cpu.cfs_period_us` of cgroup v1; nothing where the first is -1.
    #[must_use]
    pub fn v1(quota: &str, period: &str) -> Option<Self> {
        Self { quota_us: number(quota)?, period_us: number(period)? }.sound()
    }

    /// How many processors that is, such as 0.5.
    #[must_use]
    pub fn cpus(self) -> f64 {
        self.quota_us as f64 / self.period_us as f64
    }

    fn sound(self) -> Option<Self> {
        (self.quota_us > 0 && self.period_us > 0).then_some(self)
    }
}

/// One line of a pressure file (PSI): for which part of the time tasks waited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waited {
    /// The kernel's average over 10 s, 0 to 1.
    pub avg10: f64,
    /// Microseconds since the group was made.
    pub total_us: u64,
}

/// The line of a pressure file that begins with `kind`, `some` or `full`.
#[must_use]
pub fn waited(text: &str, kind: &str) -> Option<Waited> {
    let words = text.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '))?;
    let word = |name| words.split_ascii_whitespace().find_map(|word| word.strip_prefix(name));
    let percent: f64 = word("avg10=")?.parse().ok()?;
    if !percent.is_finite() {
        return None;
    }
    let total_us = word("total=")?.parse().ok()?;
    Some(Waited { avg10: (percent / 100.0).clamp(0.0, 1.0), total_us })
}

/// A path of `/proc/self/mountinfo`, in which a blank is written as `\040`.
pub(super) fn unescaped(path: &str) -> Vec<u8> {
    let mut bytes = path.bytes();
    let mut plain = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        match octal(bytes.clone()).filter(|_| byte == b'\\') {
            Some(code) => {
                plain.push(code);
                bytes.nth(2);
            }
            None => plain.push(byte),
        }
    }
    plain
}

/// The byte that the next three digits stand for.
fn octal(mut digits: core::str::Bytes<'_>) -> Option<u8> {
    let mut code: u32 = 0;
    for _ in 0..3 {
        let digit = char::from(digits.next()?).to_digit(8)?;
        code = code.saturating_mul(8).saturating_add(digit);
    }
    u8::try_from(code).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_in_paths_come_back() {
        assert_eq!(unescaped(r"/a\040b\134"), b"/a b\\");
        assert_eq!(unescaped(r"/a\04"), br"/a\04", "cut off: as it stands");
        assert_eq!(unescaped(r"\777"), br"\777", "no byte");
    }

    #[test]
    fn the_page_is_found_among_the_words() {
        let words = |words: &[usize]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_ne_bytes()).collect()
        };
        assert_eq!(page_size(&words(&[33, 1, 6, 65536, 0, 0])), Some(65536));
        assert_eq!(page_size(&words(&[33, 1, 6])), None);
        assert_eq!(page_size(&words(&[6, 3])), None, "no page is 3 bytes");
        assert_eq!(page_size(&[1, 2, 3]), None);
    }
}
