// Package node runs a node: a first process in namespaces of its own (processes, mounts, network, names), and everything else
// started inside them. Ending the first process makes the kernel end all others, unmount everything and drop the network, whoever
// started them and however they hide.
package node

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Folders are what the first process needs to know.
type Folders struct {
	Pause   string // the program
	Cluster string // stays in view under its own path
	Node    string // becomes /var/lib and /var/log
}

// Boot starts the first process of a node called hostname and waits until its folders are in place. Its caller must record it
// and give it a network.
func Boot(folders Folders, hostname string) (*exec.Cmd, error) {
	first := exec.Command(folders.Pause, "node", folders.Cluster, folders.Node, hostname)
	first.Args[0] = "pause"
	first.Dir = "/"
	first.Env = []string{}
	first.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	complaint := &strings.Builder{}
	output, err := first.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting node %s: %w", hostname, err)
	}
	errors, err := first.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("starting node %s: %w", hostname, err)
	}
	if err := first.Start(); err != nil {
		return nil, fmt.Errorf("starting node %s: %w (it needs root and the kernel's namespaces)", hostname, err)
	}
	if line, _ := bufio.NewReader(output).ReadString('\n'); line != "ready\n" {
		_, _ = bufio.NewReader(errors).WriteTo(complaint)
		_ = first.Process.Kill()
		_ = first.Wait()
		return nil, fmt.Errorf("starting node %s: %s", hostname, strings.TrimSpace(complaint.String()))
	}
	return first, nil
}

// Start starts a command inside the namespaces of the node whose first process is pid.
func Start(pid int, command *exec.Cmd) error {
	done := make(chan error, 1)
	go func() {
		// Namespaces belong to threads. This one is never unlocked, so it ends with the goroutine and no other code runs in it.
		runtime.LockOSThread()
		done <- startHere(pid, command)
	}()
	return <-done
}

func startHere(pid int, command *exec.Cmd) error {
	// The mount namespace comes last: after it /proc is the node's and no longer knows pid. A thread shares its root folder with
	// its siblings until told otherwise, and such a one may not change its mounts.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("preparing to enter the node: %w", err)
	}
	kinds := []struct {
		name string
		flag int
	}{
		{"ipc", unix.CLONE_NEWIPC}, {"uts", unix.CLONE_NEWUTS}, {"net", unix.CLONE_NEWNET},
		{"pid", unix.CLONE_NEWPID}, {"mnt", unix.CLONE_NEWNS},
	}
	for _, kind := range kinds {
		path := fmt.Sprintf("/proc/%d/ns/%s", pid, kind.name)
		file, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("entering the node: %w", err)
		}
		err = unix.Setns(int(file.Fd()), kind.flag)
		_ = file.Close()
		if err != nil {
			return fmt.Errorf("entering %s: %w", path, err)
		}
	}
	return command.Start()
}

// Run runs a short command inside the node, with input on its standard input.
func Run(pid int, input string, argv ...string) error {
	command := exec.Command(argv[0], argv[1:]...)
	command.Stdin = strings.NewReader(input)
	output := &strings.Builder{}
	command.Stdout, command.Stderr = output, output
	if err := Start(pid, command); err != nil {
		return err
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("%s in the node: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(output.String()))
	}
	return nil
}
