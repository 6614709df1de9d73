package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"kilonova.dev/cluster/cluster"
	"kilonova.dev/cluster/component"
)

const usage = `Kubernetes on this machine, without containers around it and without downloads. As root:

  run up NAME [--nodes N]     bring the cluster up, or repair it; at once when it is well
  run down NAME               end it and remove everything of it
  run status NAME             one line per component; exit 0 when all are well, 1 otherwise
  run load NAME IMAGE...      bring images into all nodes: docker or OCI archives, or names of buildah's images
  run kubeconfig NAME         print the path of the administrator's kubeconfig
  run logs NAME               print the folder of the logs (audit.log: one JSON line per change)
  run kubectl NAME ARGS...    kubectl, as the administrator
  run helm NAME ARGS...       helm, as the administrator
  run build                   only build the program (and the links kubectl and helm beside it)
  run test                    the unit tests of this folder; they need no cluster and no root

NAME has at most 20 of a-z, 0-9 and -. Clusters with different names run side by side; nodes are called NAME-1, NAME-2, …
An image is called in pods by its full name (localhost/NAME:TAG) with imagePullPolicy Never or IfNotPresent.
The program is built into $KILONOVA_CACHE, by default target/cluster of this repository.
`

// Exit codes: 1 the machine or the cluster is in the way, 2 the command line is.
var errUsage = errors.New("see --help")

// verb does what the arguments say and answers the exit code.
func verb(arguments []string) int {
	if len(arguments) == 0 || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help" {
		fmt.Print(usage)
		return 0
	}
	if err := run(arguments[0], arguments[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kilonova-cluster:", err)
		if errors.Is(err, errUsage) {
			return 2
		}
		return 1
	}
	return 0
}

var errUnhealthy = errors.New("not all is well; repair it with: up")

func run(verb string, arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("%s: which cluster? %w", verb, errUsage)
	}
	name, rest := arguments[0], arguments[1:]
	if len(rest) > 0 && (verb == "down" || verb == "status" || verb == "kubeconfig" || verb == "logs") {
		return fmt.Errorf("%s takes one name, not also %q: %w", verb, rest, errUsage)
	}
	switch verb {
	case "up":
		nodes, err := nodesFlag(rest)
		if err != nil {
			return err
		}
		return cluster.Up(name, nodes, os.Stderr)
	case "down":
		return cluster.Down(name, os.Stderr)
	case "status":
		healthy, err := cluster.Status(name, os.Stdout)
		if err == nil && !healthy {
			err = errUnhealthy
		}
		return err
	case "load":
		if len(rest) == 0 {
			return fmt.Errorf("load: which image? %w", errUsage)
		}
		return cluster.Load(name, rest, os.Stderr)
	case "kubeconfig", "logs":
		c, err := cluster.Find(name)
		if err != nil {
			return err
		}
		path := c.Kubeconfig()
		if verb == "logs" {
			path = c.Path("log")
		}
		fmt.Println(path)
		return nil
	case "kubectl", "helm":
		return passOn(verb, name, rest)
	}
	return fmt.Errorf("unknown verb %q: %w", verb, errUsage)
}

func nodesFlag(arguments []string) (int, error) {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	nodes := flags.Int("nodes", 0, "")
	if err := flags.Parse(arguments); err != nil {
		return 0, fmt.Errorf("up: %w: %w", err, errUsage)
	}
	if flags.NArg() > 0 {
		return 0, fmt.Errorf("up takes one name, not also %q: %w", flags.Args(), errUsage)
	}
	return *nodes, nil
}

// passOn becomes kubectl or helm for a cluster; it returns only when it cannot.
func passOn(program, name string, arguments []string) error {
	c, err := cluster.Find(name)
	if err != nil {
		return err
	}
	// Their caches lie in the cluster's folder, so that down leaves nothing in the user's home.
	for variable, value := range map[string]string{
		"KUBECONFIG": c.Kubeconfig(), "KUBECACHEDIR": c.Path("cache", "kube"), "HELM_CACHE_HOME": c.Path("cache", "helm"),
	} {
		if err := os.Setenv(variable, value); err != nil {
			return err
		}
	}
	component.Run(program, arguments)
	return nil
}
