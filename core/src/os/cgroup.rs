//! Where the control groups of the process lie, from `/proc/self/cgroup` and `/proc/self/mountinfo`.

use alloc::string::String;
use alloc::vec::Vec;

use super::parse::unescaped;

/// Which interface of control groups a group is reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// A control group of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// By which interface it is reached.
    pub version: Version,
    /// Where its hierarchy is mounted.
    pub mount: String,
    /// Where it lies below `mount`; empty, or it begins with `/`.
    pub path: String,
}

impl Group {
    /// The folder of the group.
    #[must_use]
    pub fn folder(&self) -> String {
        [self.mount.as_str(), self.path.as_str()].concat()
    }

    /// The folders of the group and of all around it, the innermost first.
    ///
    /// A limit of any of them binds the process. At most 32, which is more than any nesting has.
    pub fn folders(&self) -> impl Iterator<Item = String> + '_ {
        let paths = core::iter::successors(Some(self.path.as_str()), |path| {
            path.rfind('/').and_then(|slash| path.get(..slash))
        });
        paths.take(32).map(|path| [self.mount.as_str(), path].concat())
    }
}

/// The control groups that say something about a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// The group that limits memory.
    pub memory: Option<Group>,
    /// The group that limits processor time.
    pub cpu: Option<Group>,
    /// The group of the unified hierarchy (v2), which is also there where v1 limits.
    pub unified: Option<Group>,
}

impl Groups {
    /// The groups by the text of `/proc/self/cgroup` and of `/proc/self/mountinfo`.
    ///
    /// A controller that v1 has is looked for there, the rest in the unified hierarchy. What is not
    /// mounted, or is malformed, is not known.
    #[must_use]
    pub fn locate(cgroup: &str, mountinfo: &str) -> Self {
        let mounts: Vec<Mount> = mountinfo.lines().filter_map(Mount::parse).collect();
        let unified = member(cgroup, "").and_then(|path| group(&mounts, None, path));
        let of = |controller| {
            member(cgroup, controller)
                .and_then(|path| group(&mounts, Some(controller), path))
                .or_else(|| unified.clone())
        };
        Self { memory: of("memory"), cpu: of("cpu"), unified }
    }
}

/// The path of the process in the hierarchy of `controller`; of the unified one where that is empty.
fn member<'a>(cgroup: &'a str, controller: &str) -> Option<&'a str> {
    cgroup.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let number = parts.next()?;
        let mut controllers = parts.next()?.split(',');
        let path = parts.next()?;
        let unified = !controller.is_empty() || number == "0";
        (unified && controllers.any(|name| name == controller)).then_some(path)
    })
}

/// A hierarchy of control groups that is mounted.
struct Mount {
    version: Version,
    /// Which group is seen at `point`.
    root: String,
    point: String,
    controllers: String,
}

impl Mount {
    /// `36 35 98:0 /root /point options optional... - type source controllers`
    fn parse(line: &str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let version = match kind.next()? {
            "cgroup" => Version::V1,
            "cgroup2" => Version::V2,
            _ => return None,
        };
        let mut place = place.split(' ').skip(3);
        let plain = |path: &str| String::from_utf8(unescaped(path)).ok();
        Some(Self {
            version,
            root: plain(place.next()?)?,
            point: plain(place.next()?)?,
            controllers: kind.nth(1).unwrap_or_default().into(),
        })
    }

    fn has(&self, controller: Option<&str>) -> bool {
        match controller {
            None => self.version == Version::V2,
            Some(name) => {
                self.version == Version::V1 && self.controllers.split(',').any(|one| one == name)
            }
        }
    }

    /// `path` as seen below the mount; nothing where it lies outside of what is mounted.
    fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(self.root.trim_end_matches('/'))?;
        if rest.split('/').any(|part| part == "..") {
            return None;
        }
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_end_matches('/'))
    }
}

/// The group at `path` where its hierarchy is mounted. In a container that sees its own group alone
/// and is told the path of the host, the mount itself is the group.
fn group(mounts: &[Mount], controller: Option<&str>, path: &str) -> Option<Group> {
    let fitting = || mounts.iter().filter(|mount| mount.has(controller));
    let inside = fitting().find_map(|mount| Some((mount, mount.below(path)?)));
    let (mount, path) = inside.or_else(|| Some((fitting().next()?, "")))?;
    Some(Group { version: mount.version, mount: mount.point.clone(), path: path.into() })
}
