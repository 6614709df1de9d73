package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"text/tabwriter"

	"kilonova.dev/cluster/layout"
	"kilonova.dev/cluster/plan"
)

// Status writes one line per component and answers whether all of them are well.
func Status(name string, output io.Writer) (healthy bool, err error) {
	c, err := Find(name)
	if err != nil {
		return false, err
	}
	client, err := newClient(c)
	if errors.Is(err, fs.ErrPermission) {
		return false, fmt.Errorf("status needs root: %w", err)
	} else if err != nil {
		return false, fmt.Errorf("cluster %s is incomplete: %w; repair it with: up %s", name, err, name)
	}
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	healthy = true
	row := func(what string, pid int, problem string) {
		healthy = healthy && problem == ""
		if problem == "" {
			problem = "healthy"
		}
		who := "-"
		if pid != 0 {
			who = fmt.Sprint("pid ", pid)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", what, who, problem)
	}
	for i := 1; i <= c.Nodes; i++ {
		pid, problem := running(c, plan.NodeRecord(i))
		row(plan.NodeRecord(i), pid, problem)
	}
	for _, seen := range look(c, client) {
		row(seen.name, seen.pid, seen.problem)
	}
	problem := ""
	if err := client.ready(nodeNames(c)); err != nil {
		problem = err.Error()
	}
	row("ready for pods", 0, problem)
	if err := table.Flush(); err != nil {
		return false, err
	}
	for _, fact := range [][2]string{
		{"API server", c.APIServer()},
		{"this host, for pods", c.HostIP().String()},
		{"kubeconfig", c.Kubeconfig()},
		{"logs", c.Path("log")},
		{"audit log", c.AuditLog()},
	} {
		fmt.Fprintf(output, "%-20s %s\n", fact[0], fact[1])
	}
	return healthy, nil
}

type sight struct {
	name    string
	pid     int
	problem string
}

// look asks all components at once: a dead network must not cost a time limit each.
func look(c layout.Cluster, client client) []sight {
	components := plan.Components(c)
	sights := make([]sight, len(components))
	var all sync.WaitGroup
	for i, component := range components {
		all.Go(func() {
			pid, problem := running(c, component.Name)
			if problem == "" {
				if err := client.healthy(component); err != nil {
					problem = "unhealthy: " + strings.ReplaceAll(err.Error(), "\n", " ")
				}
			}
			sights[i] = sight{component.Name, pid, problem}
		})
	}
	all.Wait()
	return sights
}

func running(c layout.Cluster, record string) (pid int, problem string) {
	id, found := records(c).Get(record)
	switch {
	case !found:
		return 0, "never started"
	case !id.Alive():
		return id.PID, "dead"
	}
	return id.PID, ""
}
