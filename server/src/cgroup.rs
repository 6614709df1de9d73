//! How much CPU the container may use: what an API gets workers for when nobody says how many.
//!
//! nova took `multiprocessing.cpu_count()`, the host's processors, whatever a container was allowed. Here it is the
//! limit of the control group, version 1 or 2, and without a limit a single worker.

use std::fs;
use std::path::{Path, PathBuf};

use kilonova_config::MAX_WORKERS;

/// Workers for an API without a number of its own: the CPU limit, rounded up; 1 without a limit.
pub fn default_workers() -> u32 {
    workers_for(limit(|path| fs::read_to_string(path).ok()))
}

fn workers_for(limit: Option<Limit>) -> u32 {
    let cpus = limit.map_or(1, |limit| limit.quota.div_ceil(limit.period));
    u32::try_from(cpus)
        .unwrap_or(MAX_WORKERS)
        .clamp(1, MAX_WORKERS)
}

/// Microseconds of CPU in each period of so many microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    quota: u64,
    period: u64,
}

impl Limit {
    fn below(self, other: Self) -> bool {
        u128::from(self.quota) * u128::from(other.period)
            < u128::from(other.quota) * u128::from(self.period)
    }
}

/// The tightest limit between our own group and the root of what is mounted.
fn limit(read: impl Fn(&Path) -> Option<String>) -> Option<Limit> {
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let mut tightest: Option<Limit> = None;
    for (version, mount, group) in mounts.lines().filter_map(|line| hierarchy(line, &groups)) {
        for folder in group
            .ancestors()
            .take_while(|folder| folder.starts_with(&mount))
        {
            let found = match version {
                Version::One => one(&read, folder),
                Version::Two => read(&folder.join("cpu.max")).and_then(|text| two(&text)),
            };
            if let Some(found) = found
                && tightest.is_none_or(|tightest| found.below(tightest))
            {
                tightest = Some(found);
            }
        }
    }
    tightest
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Where a line of `mountinfo` mounts a hierarchy that limits CPU, and our group's folder in it.
fn hierarchy(line: &str, groups: &str) -> Option<(Version, PathBuf, PathBuf)> {
    let (mount, source) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (mount.next()?, Path::new(mount.next()?));
    let mut source = source.split(' ');
    let version = match source.next()? {
        "cgroup2" => Version::Two,
        "cgroup" if source.nth(1)?.split(',').any(|option| option == "cpu") => Version::One,
        _ => return None,
    };
    let group = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let ours = match version {
            Version::One => controllers.split(',').any(|controller| controller == "cpu"),
            Version::Two => controllers.is_empty(),
        };
        ours.then_some(group)
    })?;
    // A container often sees its own group mounted as the root, under a path that names it as the host does.
    let beneath = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    Some((version, point.to_owned(), point.join(beneath)))
}

fn one(read: impl Fn(&Path) -> Option<String>, folder: &Path) -> Option<Limit> {
    let number = |name| read(&folder.join(name))?.trim().parse().ok();
    // -1, which is no number here, stands for no limit.
    of(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

/// `cpu.max`: `max 100000` or `150000 100000`.
fn two(text: &str) -> Option<Limit> {
    let (quota, period) = text.trim().split_once(' ')?;
    of(quota.parse().ok()?, period.parse().ok()?)
}

fn of(quota: u64, period: u64) -> Option<Limit> {
    (quota > 0 && period > 0).then_some(Limit { quota, period })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TWO: &str = "30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
    const ONE: &str = "31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
         32 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    /// A container without a namespace for control groups.
    const SEEN: &str = "31 30 0:28 /kubepods/pod1/c1 /sys/fs/cgroup/cpu ro - cgroup cpu ro,cpu\n";

    #[rstest]
    #[case::two("0::/\n", TWO, &[("cpu.max", "150000 100000\n")], 2)]
    #[case::two_without("0::/\n", TWO, &[("cpu.max", "max 100000\n")], 1)]
    #[case::two_nested("0::/a/b\n", TWO, &[("a/b/cpu.max", "max 100000"), ("a/cpu.max", "400000 100000")], 4)]
    #[case::the_tightest("0::/a\n", TWO, &[("a/cpu.max", "800000 100000"), ("cpu.max", "250000 100000")], 3)]
    #[case::a_fraction("0::/\n", TWO, &[("cpu.max", "10000 100000")], 1)]
    #[case::more_than_there_may_be("0::/\n", TWO, &[("cpu.max", "999999999999 1000")], 512)]
    #[case::torn("0::/\n", TWO, &[("cpu.max", "200000 0"), ], 1)]
    #[case::one("4:cpu,cpuacct:/x\n3:memory:/y\n", ONE,
        &[("cpu,cpuacct/x/cpu.cfs_quota_us", "300000\n"), ("cpu,cpuacct/x/cpu.cfs_period_us", "100000\n")], 3)]
    #[case::one_without("4:cpu,cpuacct:/\n", ONE,
        &[("cpu,cpuacct/cpu.cfs_quota_us", "-1\n"), ("cpu,cpuacct/cpu.cfs_period_us", "100000\n")], 1)]
    #[case::one_as_the_host_names_it("4:cpu:/kubepods/pod1/c1\n", SEEN,
        &[("cpu/cpu.cfs_quota_us", "200000"), ("cpu/cpu.cfs_period_us", "100000")], 2)]
    #[case::nothing_mounted("", "", &[], 1)]
    fn workers_follow_the_limit(
        #[case] groups: &str,
        #[case] mounts: &str,
        #[case] files: &[(&str, &str)],
        #[case] expected: u32,
    ) {
        let read = |path: &Path| match path.to_str()? {
            "/proc/self/cgroup" => Some(groups.to_owned()),
            "/proc/self/mountinfo" => Some(mounts.to_owned()),
            path => {
                let name = path.strip_prefix("/sys/fs/cgroup/")?;
                let found = files.iter().find(|(file, _)| *file == name)?;
                Some(found.1.to_owned())
            }
        };
        assert_eq!(workers_for(limit(read)), expected);
    }
}
