package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"kilonova.dev/cluster/cgroup"
	"kilonova.dev/cluster/debian"
	"kilonova.dev/cluster/image"
	"kilonova.dev/cluster/layout"
	"kilonova.dev/cluster/node"
	"kilonova.dev/cluster/plan"
	"kilonova.dev/cluster/wait"
)

// upping is one run of Up.
type upping struct {
	layout.Cluster
	client      client
	hierarchies []cgroup.Hierarchy
	progress    io.Writer
	began       time.Time
	said        time.Time // when the last line was written
}

// Up brings a cluster to where all its components answer and pods can be created, from wherever it is: from nothing, from one with
// dead or hung components (they are started again, everything else is kept), or from the remains of one whose nodes are dead (they
// are removed). nodes is how many it shall have; 0 means as many as it has, or 1.
func Up(name string, nodes int, progress io.Writer) error {
	if err := layout.CheckName(name); err != nil {
		return err
	}
	if nodes != 0 {
		if err := layout.CheckNodes(nodes); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return errors.New("up needs root: it makes namespaces, mounts and interfaces")
	}
	if err := debian.Ensure(progress); err != nil {
		return err
	}
	hierarchies, err := cgroup.Machine()
	if err != nil {
		return err
	}
	unlock, err := lock(layout.Cluster{Name: name}.Dir())
	if err != nil {
		return err
	}
	defer func() { unlock() }()
	u := &upping{hierarchies: hierarchies, progress: progress, began: time.Now(), said: time.Now()}

	u.Cluster, err = Find(name)
	switch {
	case err == nil && nodes != 0 && nodes != u.Nodes:
		return fmt.Errorf("cluster %s has %d nodes, not %d; to change that, first: down %s", name, u.Nodes, nodes, name)
	case err == nil && u.nodesLive():
		err = u.connectClient()
	default:
		if entries, _ := os.ReadDir(layout.Cluster{Name: name}.Dir()); len(entries) > 0 {
			u.say("cluster %s was killed: removing its remains and starting afresh", name)
			nodes = max(nodes, u.Nodes)
			if err := remove(name, hierarchies); err != nil {
				return err
			}
			unlock()
			if unlock, err = lock(layout.Cluster{Name: name}.Dir()); err != nil {
				return err
			}
		}
		err = u.create(name, max(nodes, 1))
	}
	if err != nil {
		return err
	}
	if err := u.converge(); err != nil {
		return err
	}
	u.say("cluster %s is up: %d node(s), %s", u.Name, u.Nodes, u.APIServer())
	return nil
}

func (u *upping) nodesLive() bool {
	for i := 1; i <= u.Nodes; i++ {
		if first, found := records(u.Cluster).Get(plan.NodeRecord(i)); !found || !first.Alive() {
			return false
		}
	}
	return true
}

// create makes a cluster of which nothing exists, up to nodes that run nothing yet.
func (u *upping) create(name string, nodes int) (err error) {
	if u.Cluster, err = allocate(name, nodes); err != nil {
		return err
	}
	if err := prepare(u.Cluster); err != nil {
		return err
	}
	if err := u.connectClient(); err != nil {
		return err
	}
	if err := node.MakeBridge(u.Cluster); err != nil {
		return err
	}
	for i := 1; i <= u.Nodes; i++ {
		if err := boot(u.Cluster, u.hierarchies, i); err != nil {
			return err
		}
	}
	u.say("cluster %s: %s, %d node(s) booted; starting Kubernetes", u.Name, u.Network(), u.Nodes)
	return nil
}

func (u *upping) connectClient() (err error) {
	u.client, err = newClient(u.Cluster)
	return err
}

// converge starts what does not run and waits until all is well.
func (u *upping) converge() error {
	if err := u.run(plan.Foundation(u.Cluster)); err != nil {
		return err
	}
	if err := u.furnish(); err != nil {
		return err
	}
	if err := u.run(plan.Rest(u.Cluster)); err != nil {
		return err
	}
	err := wait.For(patience, pulse, func() (missing, _ error) {
		missing = u.client.ready(nodeNames(u.Cluster))
		if missing != nil && time.Since(u.said) > sayEvery {
			u.say("waiting: %v", missing)
		}
		return missing, nil
	})
	if err != nil {
		return fmt.Errorf("cluster %s: %w; logs are in %s", u.Name, err, u.Path("log"))
	}
	return nil
}

// furnish gives the API server and the container runtimes of a new cluster what the rest needs of them. That it was done is
// remembered, not guessed: an up may be interrupted just before.
func (u *upping) furnish() error {
	done := u.Path("furnished")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	u.say("store, API server and container runtimes answer; starting the rest")
	for _, object := range plan.Objects {
		if err := u.client.create(object.Collection, object.JSON); err != nil {
			return err
		}
	}
	sandbox, err := os.ReadFile(pause(u.Cluster))
	if err != nil {
		return fmt.Errorf("reading the sandbox program: %w", err)
	}
	for i := 1; i <= u.Nodes; i++ {
		socket := u.ContainerdSocket(i)
		var archive bytes.Buffer
		if err := image.WriteArchive(&archive, plan.PauseImage, "pause", sandbox); err != nil {
			return err
		}
		if _, err := image.Import(socket, &archive); err != nil {
			return err
		}
	}
	return write(done, nil, 0o644)
}

func nodeNames(c layout.Cluster) []string {
	var names []string
	for i := 1; i <= c.Nodes; i++ {
		names = append(names, c.NodeName(i))
	}
	return names
}

// Somebody watches: silence longer than this looks like a hang.
const sayEvery = 10 * time.Second

func (u *upping) say(format string, arguments ...any) {
	u.said = time.Now()
	fmt.Fprintf(u.progress, "%5.1f s  %s\n", time.Since(u.began).Seconds(), fmt.Sprintf(format, arguments...))
}

func (u *upping) sayWaiting(left []*waiting) {
	if len(left) == 0 || time.Since(u.said) < sayEvery {
		return
	}
	var names []string
	for _, w := range left {
		names = append(names, w.Name)
	}
	u.say("waiting for %s (%v)", strings.Join(names, ", "), left[0].answer)
}
