// Package cluster is the verbs: it brings clusters up, ends them and looks at them.
//
//	layout ─► plan ─► cluster ─► node, process, cgroup, image ─► the machine
//
// All state of a cluster is files below layout.Root and the namespaces of its nodes.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"kilonova.dev/cluster/layout"
	"kilonova.dev/cluster/node"
	"kilonova.dev/cluster/process"
)

const stateFile = "cluster.json"

// ErrNone says that no cluster of a name exists.
var ErrNone = errors.New("no such cluster")

// Find reads what is known of a cluster, running or not.
func Find(name string) (layout.Cluster, error) {
	if err := layout.CheckName(name); err != nil {
		return layout.Cluster{}, err
	}
	content, err := os.ReadFile(layout.Cluster{Name: name}.Path(stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return layout.Cluster{}, fmt.Errorf("%w: %s; start it with: up %s", ErrNone, name, name)
	} else if err != nil {
		return layout.Cluster{}, fmt.Errorf("reading the state of cluster %s: %w", name, err)
	}
	var c layout.Cluster
	if err := json.Unmarshal(content, &c); err != nil {
		return layout.Cluster{}, fmt.Errorf("state of cluster %s: %w; remove the cluster with: down %s", name, err, name)
	}
	return c, nil
}

// allocate gives a new cluster its network and remembers it. Other clusters being allocated at the same moment wait.
func allocate(name string, nodes int) (layout.Cluster, error) {
	unlock, err := lock(layout.Root)
	if err != nil {
		return layout.Cluster{}, err
	}
	defer unlock()
	files, err := filepath.Glob(filepath.Join(layout.Root, "*", stateFile))
	if err != nil {
		return layout.Cluster{}, err
	}
	var taken []int
	for _, file := range files {
		if other, err := Find(filepath.Base(filepath.Dir(file))); err == nil {
			taken = append(taken, other.Slot)
		}
	}
	routes, err := node.Routes()
	if err != nil {
		return layout.Cluster{}, err
	}
	slot, err := layout.FreeSlot(taken, routes)
	if err != nil {
		return layout.Cluster{}, err
	}
	c := layout.Cluster{Name: name, Slot: slot, Nodes: nodes}
	content, err := json.Marshal(c)
	if err != nil {
		return layout.Cluster{}, err
	}
	return c, write(c.Path(stateFile), content, 0o644)
}

// records are the processes of a cluster.
func records(c layout.Cluster) process.Records { return process.Records(c.Path("process")) }

func write(path string, content []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making a folder of the cluster: %w", err)
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		return fmt.Errorf("writing a file of the cluster: %w", err)
	}
	return nil
}
