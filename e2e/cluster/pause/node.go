package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// becomeNode changes what this process and all that will enter its namespaces see. The machine's files stay in view, but
// /run, /var/lib and /var/log are the node's own: kubelet, containerd, its shims and the CNI plug-ins keep sockets, locks and
// state under fixed names there, and two nodes must not share them. All of it vanishes with the mount namespace.
func becomeNode(clusterDir, nodeDir, name string) error {
	lib, log := filepath.Join(nodeDir, "lib"), filepath.Join(nodeDir, "log")
	inner := filepath.Join(lib, "kilonova", filepath.Base(clusterDir))
	for _, dir := range []string{inner, log} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the node's folders: %w", err)
		}
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"leaving the machine's mounts", func() error { return syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") }},
		// The cluster's folder keeps its path, so that a configuration means the same file inside and outside.
		{"showing the cluster's folder", func() error { return syscall.Mount(clusterDir, inner, "", syscall.MS_BIND, "") }},
		{"/var/lib", func() error { return syscall.Mount(lib, "/var/lib", "", syscall.MS_BIND|syscall.MS_REC, "") }},
		{"/var/log", func() error { return syscall.Mount(log, "/var/log", "", syscall.MS_BIND, "") }},
		{"/run", func() error { return syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755") }},
		{"/proc", func() error { return syscall.Mount("proc", "/proc", "proc", 0, "") }},
		{"kernel settings", keepKernelSettings},
		// Pods may ask for mount propagation, which needs shared mounts.
		{"sharing mounts", func() error { return syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, "") }},
		{"hostname", func() error { return syscall.Sethostname([]byte(name)) }},
		// A node forwards: between its pods, the other nodes and the host.
		{"forwarding", func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// keepKernelSettings hides the settings a kubelet insists on changing, which belong to the whole machine, behind files it may
// change as it likes.
func keepKernelSettings() error {
	for _, setting := range []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	} {
		real, mine := filepath.Join("/proc/sys", setting), filepath.Join("/run/sysctl", setting)
		value, err := os.ReadFile(real)
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(mine), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(mine, value, 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(mine, real, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
	}
	return nil
}
