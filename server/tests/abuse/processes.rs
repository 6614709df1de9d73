//! The workers as the system sees them.

use std::fs;

use crate::server::Server;

/// Ticks a second in `/proc/<pid>/stat`, as every Linux has had for decades.
const TICKS: f64 = 100.0;

pub struct Processes(Vec<u32>);

impl Processes {
    /// All workers of a server.
    pub fn of(server: &Server) -> Self {
        let apis = server.status().apis;
        let workers = apis.iter().flat_map(|api| &api.workers);
        Self(workers.map(|worker| worker.pid).collect())
    }

    /// Bytes of memory that are theirs alone, and their shares of what is not.
    pub fn memory(&self) -> u64 {
        let share = |pid: &u32| {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
            let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
            kilobytes.parse::<u64>().unwrap() * 1024
        };
        self.0.iter().map(share).sum()
    }

    /// Processor time each has used, in ticks.
    pub fn busy(&self) -> Vec<u64> {
        let ticks = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let fields = stat.rsplit(") ").next().unwrap();
            let fields: Vec<_> = fields.split(' ').collect();
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
        };
        self.0.iter().map(ticks).collect()
    }

    /// Percent of a processor that the busiest one has used since then.
    // A count of ticks is far from what a float cannot hold.
    #[allow(clippy::cast_precision_loss)]
    pub fn busiest_since(&self, before: &[u64], seconds: f64) -> f64 {
        let used = self.busy();
        let used = used.iter().zip(before).map(|(now, before)| now - before);
        used.max().unwrap_or(0) as f64 / TICKS / seconds * 100.0
    }
}
