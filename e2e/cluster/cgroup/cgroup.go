// Package cgroup makes and removes the cgroups of a cluster on version 1, version 2 and machines that mount both. It never
// mounts anything and touches nothing outside the path it is given.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"kilonova.dev/cluster/wait"
)

// Hierarchy is one mounted tree of cgroups.
type Hierarchy struct {
	Mount       string
	Unified     bool     // version 2
	Controllers []string // of a version 1 tree, as mount options: "cpu", "memory", "name=systemd"
}

// Hierarchies reads those of /proc/mounts. A mount point counts once.
func Hierarchies(mounts string) []Hierarchy {
	var found []Hierarchy
	seen := map[string]bool{}
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 4 || seen[fields[1]] {
			continue
		}
		h := Hierarchy{Mount: fields[1], Unified: fields[2] == "cgroup2"}
		switch fields[2] {
		case "cgroup":
			for _, option := range strings.Split(fields[3], ",") {
				if !slices.Contains(mountOptions, option) {
					h.Controllers = append(h.Controllers, option)
				}
			}
		case "cgroup2":
		default:
			continue
		}
		seen[h.Mount] = true
		found = append(found, h)
	}
	return found
}

var mountOptions = []string{"rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr", "nsdelegate", "memory_recursiveprot", "clone_children", "noprefix"}

// Version is 1 when any controller is in a version 1 tree: kubelet and runc then use those and only those. Zero means none is
// mounted.
func Version(hierarchies []Hierarchy) int {
	version := 0
	for _, h := range hierarchies {
		if h.Unified {
			version = max(version, 2)
		}
	}
	for _, h := range hierarchies {
		if !h.Unified && slices.ContainsFunc(h.Controllers, func(c string) bool { return !strings.HasPrefix(c, "name=") }) {
			return 1
		}
	}
	return version
}

// Machine reads what this machine has mounted.
func Machine() ([]Hierarchy, error) {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	hierarchies := Hierarchies(string(mounts))
	if Version(hierarchies) == 0 {
		return nil, errors.New("no cgroups are mounted: mount cgroup2 on /sys/fs/cgroup (the kubelet cannot run pods without)")
	}
	return hierarchies, nil
}

// Make makes the cgroup path in every tree, with all controllers where they must be switched on.
func Make(hierarchies []Hierarchy, path string) error {
	for _, h := range hierarchies {
		at := h.Mount
		for _, element := range strings.Split(strings.Trim(path, "/"), "/") {
			if h.Unified {
				enableControllers(at)
			}
			parent := at
			at = filepath.Join(at, element)
			if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("making a cgroup: %w", err)
			}
			if slices.Contains(h.Controllers, "cpuset") {
				if err := inheritCPUs(parent, at); err != nil {
					return err
				}
			}
		}
		if h.Unified && !strings.HasSuffix(path, leaf) {
			enableControllers(at)
		}
	}
	return nil
}

// leaf ends the path of a cgroup that holds processes: on version 2 such a one can have no children with controllers.
const leaf = "/system"

// System is the cgroup for a node's own processes below the node's cgroup.
func System(node string) string { return node + leaf }

// enableControllers passes every controller a version 2 cgroup has on to its children. One that cannot be passed on (a realtime
// process in the way of cpu, say) is left: the kubelet names it if it misses it.
func enableControllers(dir string) {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, controller := range strings.Fields(string(controllers)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
}

// inheritCPUs fills a new version 1 cpuset: an empty one takes no process.
func inheritCPUs(parent, child string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(child, file))
		if err != nil {
			return fmt.Errorf("reading a cpuset: %w", err)
		}
		if strings.TrimSpace(string(value)) != "" {
			continue
		}
		value, err = os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return fmt.Errorf("reading a cpuset: %w", err)
		}
		if err := os.WriteFile(filepath.Join(child, file), value, 0o644); err != nil {
			return fmt.Errorf("filling a cpuset: %w", err)
		}
	}
	return nil
}

// Adopt moves a process into path in every tree: out of the session or container of whoever typed the command, which may end it.
func Adopt(hierarchies []Hierarchy, path string, pid int) error {
	for _, h := range hierarchies {
		file := filepath.Join(h.Mount, path, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return fmt.Errorf("moving process %d into its cgroup: %w", pid, err)
		}
	}
	return nil
}

// Remains lists what is left of path, deepest first.
func Remains(hierarchies []Hierarchy, path string) []string {
	var found []string
	for _, h := range hierarchies {
		_ = filepath.WalkDir(filepath.Join(h.Mount, path), func(at string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				found = append(found, at)
			}
			return nil // a cgroup that vanishes meanwhile is what we want
		})
	}
	slices.SortFunc(found, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	return found
}

// Remove removes path and all below, whose processes must have ended. The kernel lets go of the dead a moment after they are gone,
// hence the patience.
func Remove(hierarchies []Hierarchy, path string, patience time.Duration) error {
	err := wait.For(patience, 20*time.Millisecond, func() (last, _ error) {
		for _, dir := range Remains(hierarchies, path) {
			if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				last = err
			}
		}
		return last, nil
	})
	if err != nil {
		return fmt.Errorf("removing the cgroups of %s: %w", path, err)
	}
	for _, h := range hierarchies {
		// Shared with other clusters: goes with the last.
		_ = os.Remove(filepath.Join(h.Mount, filepath.Dir(path)))
	}
	return nil
}
