// pause is a first process: of a pod's sandbox, where it does nothing and buries orphans, and of a node, where it first gives the
// node folders of its own. It needs no library, so that an image of it is small and a node costs no memory.
//
//	pause                                  the sandbox
//	pause node CLUSTER-DIR NODE-DIR NAME   the node, already in its own namespaces
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	end := make(chan os.Signal, 1)

	switch {
	case len(os.Args) == 1:
		signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	case len(os.Args) == 5 && os.Args[1] == "node":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		if err := becomeNode(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, "pause:", err)
			os.Exit(1)
		}
		fmt.Println("ready") // whoever started the node waits for this line
		_ = os.Stdout.Close()
	default:
		fmt.Fprintln(os.Stderr, "usage: pause | pause node CLUSTER-DIR NODE-DIR NAME")
		os.Exit(2)
	}

	for {
		select {
		case <-end:
			return
		case <-children:
			bury()
		}
	}
}

// bury waits for every child that has ended: one signal may stand for many.
func bury() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err != syscall.EINTR && pid <= 0 {
			return
		}
	}
}
