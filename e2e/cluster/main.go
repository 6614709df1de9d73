// kilonova-cluster is a whole Kubernetes in one program, and the verbs that run clusters of it on this machine. Called as
// kube-apiserver, kubelet, kubectl and so on, by name or by first argument, it is that program.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"kilonova.dev/cluster/component"
	"kilonova.dev/cluster/debian"

	"golang.org/x/sys/unix"
)

func main() {
	if component.Run(filepath.Base(os.Args[0]), os.Args[1:]) {
		return
	}
	// What up writes must be readable for whoever a pod runs as, whatever the caller's shell says.
	syscall.Umask(0o022)
	// Root's programs are found also from a user's shell.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":"+debian.Path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// What runs on after up must not hold open what its caller happened to have open, such as a pipe that tells that the
	// caller is gone.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(verb(os.Args[1:]))
}
