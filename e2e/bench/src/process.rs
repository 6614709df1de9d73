//! What processes have used, from `/proc`.

use std::fs;
use std::io;
use std::time::Duration;

/// CPU time of a process and all it started, over all threads that live; none may end between two looks. `schedstat`
/// counts nanoseconds where `stat` counts ticks of 10 ms.
pub fn cpu(process: u32) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for process in family(process)? {
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanoseconds += first_number(&text)
                .ok_or_else(|| io::Error::other("schedstat has no number: no CONFIG_SCHEDSTATS"))?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Proportional set size of a process and all it started, in bytes: what they share is counted once.
pub fn memory(process: u32) -> io::Result<u64> {
    let mut kilobytes = 0;
    for process in family(process)? {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        kilobytes +=
            pss(&text).ok_or_else(|| io::Error::other(format!("no Pss of process {process}")))?;
    }
    Ok(kilobytes * 1024)
}

/// What all CPUs have done so far, and what of it was for us, in ticks of 10 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    cpus: usize,
    passed: u64,
    busy: u64,
    own: u64,
}

impl Machine {
    /// As it is now; own is this process, and those it has started and seen end.
    pub fn look() -> io::Result<Self> {
        let (all, own) = (
            fs::read_to_string("/proc/stat")?,
            fs::read_to_string("/proc/self/stat")?,
        );
        Self::parse(&all, &own).ok_or_else(|| io::Error::other("/proc/stat is not as expected"))
    }

    /// How many CPUs were busy with something else since an earlier look.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 ticks")]
    pub fn others_since(self, earlier: Self) -> f64 {
        let others = (self.busy - earlier.busy).saturating_sub(self.own - earlier.own);
        others as f64 * self.cpus as f64 / (self.passed - earlier.passed).max(1) as f64
    }

    fn parse(all: &str, own: &str) -> Option<Self> {
        // A line for all together, then one for each.
        let cpus = all.lines().filter(|line| line.starts_with("cpu")).count() - 1;
        let total = all.lines().next()?.strip_prefix("cpu ")?;
        let total: Vec<u64> = total.split_whitespace().flat_map(str::parse).collect();
        // user nice system idle iowait irq softirq steal; what guests use is in user already.
        let passed = total.iter().take(8).sum();
        let idle: u64 = total.get(3..5)?.iter().sum();
        // utime, stime and those of children, after the name in parentheses and eleven more.
        let own = own.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
        let own = own.flat_map(str::parse::<u64>).sum();
        Some(Self {
            cpus,
            passed,
            busy: passed - idle,
            own,
        })
    }
}

/// A process and all it started, in that order.
pub fn family(process: u32) -> io::Result<Vec<u32>> {
    let mut found = vec![process];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        for task in fs::read_dir(format!("/proc/{parent}/task"))? {
            let children = fs::read_to_string(task?.path().join("children"))?;
            found.extend(children.split_whitespace().flat_map(str::parse::<u32>));
        }
    }
    Ok(found)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn pss(rollup: &str) -> Option<u64> {
    first_number(rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use kilonova_probe::wait_for;

    use super::*;

    #[test]
    fn pss_stands_among_others() {
        let rollup = "Rss:      100 kB\nPss:       42 kB\nPss_Dirty:  7 kB\n";
        assert_eq!(pss(rollup), Some(42));
        assert_eq!(pss("Rss: 1 kB\n"), None);
    }

    #[test]
    fn a_machine_is_parsed() {
        let all = "cpu  10 20 30 400 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n";
        let own = "7 (a (b) c) S 1 7 7 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 5";
        let machine = Machine::parse(all, own).unwrap();
        assert_eq!(
            machine,
            Machine {
                cpus: 1,
                passed: 486,
                busy: 81,
                own: 10
            }
        );
    }

    #[test]
    fn what_a_process_does_is_counted() {
        let mut busy = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "sh", "-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let used = |least| (cpu(busy.id()).unwrap() > Duration::from_millis(least)).then_some(());
        wait_for("5 ms of work", || used(5));
        wait_for("more of it", || used(10));
        assert!(memory(busy.id()).unwrap() > 10_000);
        busy.kill().unwrap();
        busy.wait().unwrap();
    }
}
