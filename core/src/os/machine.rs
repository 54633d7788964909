//! The machine where there is no `/proc`, as `sysinfo` knows it.

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System};

/// What the operating system says of the machine and of this process.
#[derive(Debug, Default)]
pub(super) struct Machine(Option<System>);

impl Machine {
    /// Bytes of memory in use, and bytes there are; nothing where the system is not known.
    pub(super) fn memory(&mut self) -> Option<(u64, u64)> {
        let system = self.0.get_or_insert_with(System::new);
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        Some((system.used_memory(), system.total_memory())).filter(|(_, total)| *total > 0)
    }

    /// Bytes of this process that are resident.
    pub(super) fn resident(&mut self) -> Option<u64> {
        let system = self.0.get_or_insert_with(System::new);
        let own = sysinfo::get_current_pid().ok()?;
        let memory = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, memory);
        system.process(own).map(sysinfo::Process::memory)
    }
}

/// Processors this process may use: its affinity and its container's quota are honoured.
pub(super) fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysinfo_knows_this_machine() {
        let mut machine = Machine::default();
        let (used, total) = machine.memory().expect("a known system");
        assert!(used > 0 && used < total);
        let resident = machine.resident().expect("a known system");
        assert!(resident > 1 << 20 && resident < total);
        assert!(processors() >= 1.0);
    }
}
