package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"kilonova.dev/cluster/cgroup"
	"kilonova.dev/cluster/layout"
	"kilonova.dev/cluster/node"
	"kilonova.dev/cluster/plan"
	"kilonova.dev/cluster/wait"
)

// boot starts node i and gives it its network. Only then is it recorded: a node that is recorded and alive is whole.
func boot(c layout.Cluster, hierarchies []cgroup.Hierarchy, i int) error {
	system := cgroup.System(c.NodeCgroup(i))
	if err := cgroup.Make(hierarchies, system); err != nil {
		return err
	}
	folders := node.Folders{Pause: pause(c), Cluster: c.Dir(), Node: c.NodePath(i)}
	first, err := node.Boot(folders, c.NodeName(i))
	if err != nil {
		return err
	}
	pid := first.Process.Pid
	if err := cgroup.Adopt(hierarchies, system, pid); err != nil {
		return err
	}
	if err := node.Connect(c, i, pid); err != nil {
		return err
	}
	_, err = records(c).Put(plan.NodeRecord(i), pid)
	return err
}

// start starts a component in its node. The channel is closed when it ends, if that is while this program runs.
func start(c layout.Cluster, hierarchies []cgroup.Hierarchy, component plan.Component) (ended <-chan struct{}, err error) {
	first, found := records(c).Get(plan.NodeRecord(component.Node))
	if !found || !first.Alive() {
		return nil, fmt.Errorf("starting %s: node %s is gone", component.Name, c.NodeName(component.Node))
	}
	log, err := os.OpenFile(logFile(c, component), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", component.Name, err)
	}
	defer log.Close()

	command := exec.Command(program(c), component.Args...)
	if component.Program == "containerd" { // Debian's; all others are this program under another name
		command = exec.Command(component.Program, component.Args...)
	}
	command.Args[0] = component.Program
	command.Dir = "/"
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root"}
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := node.Start(first.PID, command); err != nil {
		return nil, fmt.Errorf("starting %s: %w", component.Name, err)
	}
	gone := make(chan struct{})
	go func() { _ = command.Wait(); close(gone) }()
	if _, err := records(c).Put(component.Name, command.Process.Pid); err != nil {
		return gone, fmt.Errorf("starting %s: %w", component.Name, err)
	}
	return gone, cgroup.Adopt(hierarchies, cgroup.System(c.NodeCgroup(component.Node)), command.Process.Pid)
}

func logFile(c layout.Cluster, component plan.Component) string {
	return c.Path("log", component.Name+".log")
}

// lastLines are the end of a component's log, for an error that says why it ended.
func lastLines(c layout.Cluster, component plan.Component) string {
	content, err := os.ReadFile(logFile(c, component))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// waiting is a component that has yet to answer.
type waiting struct {
	plan.Component
	ended  <-chan struct{} // nil for one that ran before
	answer error
}

const (
	// A component that was started answers within seconds; a loaded machine may take many times that.
	patience = 2 * time.Minute
	// One that ran before should answer at once. It gets some time, then it counts as hung.
	hung  = 15 * time.Second
	pulse = 50 * time.Millisecond
)

// run makes sure that components run and answer: it starts those that do not run, and those that run but hang once more.
func (u *upping) run(components []plan.Component) error {
	var left []*waiting
	for _, component := range components {
		w := &waiting{Component: component}
		if id, found := records(u.Cluster).Get(component.Name); !found || !id.Alive() {
			if err := u.start(w); err != nil {
				return err
			}
		}
		left = append(left, w)
	}
	began := time.Now()
	return wait.For(patience, pulse, func() (missing, err error) {
		var still []*waiting
		for _, w := range left {
			if w.answer = u.client.healthy(w.Component); w.answer == nil {
				continue
			}
			still = append(still, w)
			switch {
			case w.ended != nil && closed(w.ended):
				return nil, fmt.Errorf("%s ended at once; the end of %s:\n%s", w.Name, logFile(u.Cluster, w.Component), lastLines(u.Cluster, w.Component))
			case w.ended == nil && time.Since(began) > hung:
				u.say("%s runs but does not answer (%v): starting it again", w.Name, w.answer)
				if err := u.restart(w); err != nil {
					return nil, err
				}
			}
			missing = fmt.Errorf("%s does not answer: %w; its log is %s", w.Name, w.answer, logFile(u.Cluster, w.Component))
		}
		left = still
		u.sayWaiting(left)
		return missing, nil
	})
}

func (u *upping) start(w *waiting) (err error) {
	w.ended, err = start(u.Cluster, u.hierarchies, w.Component)
	return err
}

func (u *upping) restart(w *waiting) error {
	if id, found := records(u.Cluster).Get(w.Name); found {
		if err := id.Kill(10 * time.Second); err != nil {
			return errors.Join(fmt.Errorf("starting %s again", w.Name), err)
		}
	}
	return u.start(w)
}

func closed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
