package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kilonova.dev/cluster/cgroup"
	"kilonova.dev/cluster/layout"
	"kilonova.dev/cluster/node"
	"kilonova.dev/cluster/process"
)

// Down ends a cluster and removes everything of it; one that does not exist is down already.
func Down(name string, progress io.Writer) error {
	if err := layout.CheckName(name); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("down needs root: it ends the processes that up started as root")
	}
	hierarchies, err := cgroup.Machine()
	if err != nil {
		return err
	}
	unlock, err := lockExisting(layout.Cluster{Name: name}.Dir())
	if err == nil {
		defer unlock()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	began := time.Now()
	// Also without its folder: it may have been deleted under a running cluster, whose processes its cgroup still holds.
	if err := remove(name, hierarchies); err != nil {
		return err
	}
	fmt.Fprintf(progress, "cluster %s is down (%.1f s)\n", name, time.Since(began).Seconds())
	return nil
}

// A process that was sent SIGKILL and has not ended within this sleeps in the kernel for good.
const killPatience = 20 * time.Second

// remove ends and removes whatever there is of a cluster, whose folder the caller holds. The first process of a node takes all
// others, the mounts and the network of the node with it.
func remove(name string, hierarchies []cgroup.Hierarchy) error {
	c := layout.Cluster{Name: name} // its name alone finds everything, also when its files are damaged
	all, err := records(c).All()
	if err != nil {
		return err
	}
	for _, id := range all {
		if err := id.Kill(killPatience); err != nil {
			return err
		}
	}
	// What was started and could not be recorded.
	for _, dir := range cgroup.Remains(hierarchies, c.Cgroup()) {
		if err := killMembers(dir); err != nil {
			return err
		}
	}
	if err := cgroup.Remove(hierarchies, c.Cgroup(), killPatience); err != nil {
		return err
	}
	if err := node.Disconnect(c); err != nil {
		return err
	}
	if err := os.RemoveAll(c.Dir()); err != nil {
		return fmt.Errorf("removing the cluster's folder: %w", err)
	}
	_ = os.Remove(layout.Root) // only if this was the last
	return nil
}

func killMembers(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil // removed meanwhile
	}
	for _, field := range strings.Fields(string(content)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return fmt.Errorf("members of cgroup %s: %w", dir, err)
		}
		id, err := process.Of(pid)
		if err != nil {
			continue // ended meanwhile
		}
		if err := id.Kill(killPatience); err != nil {
			return err
		}
	}
	return nil
}
