//! What the operating system knows of a process: memory, the container's limits, throttling, and for
//! how long tasks waited.
//!
//! **What.** [`Sampler`] answers the part of [`Signals`](crate::pressure::Signals) that can be read
//! from outside of an event loop. On Linux it reads `/proc`, the control groups (v1 and v2, with all
//! limits around the own group) and the kernel's pressure stall information; elsewhere it asks
//! `sysinfo` for the memory of the machine and of the process.
//!
//! **How memory is counted.** What counts against a limit is what is in use without the page cache
//! that the kernel can take back at once (`inactive_file`). The limit is the smaller of `memory.max`
//! and `memory.high`; of nested groups, the one that is nearest to its limit. A limit that is no
//! smaller than the machine is none, and then none is known.
//!
//! **Whose waiting.** Waiting for processors, memory and disks is that of the own group. A process
//! without one shares the machine's, but for processors: that others wait for those is no reason to
//! refuse work, so it is then not known.
//!
//! **Here alone** the crate reads files, behind the feature `os`. Time is an argument as everywhere.
//! What is read is taken apart in [`parse`], by functions that take text.

mod cgroup;
mod file;
mod limits;
mod machine;
pub mod parse;
mod sampler;
mod stall;
mod window;

pub use cgroup::{Group, Groups, Version};
pub use sampler::{Container, Sampler};
