// Package debian finds and installs the few programs a cluster takes from the machine's distribution.
package debian

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// needs maps each package to a file only it brings.
var needs = []struct{ pkg, file string }{
	{"containerd", "/usr/bin/containerd"},
	{"runc", "/usr/sbin/runc"},
	{"containernetworking-plugins", "/usr/lib/cni/ptp"},
	{"iproute2", "/usr/sbin/ip"}, // through /usr's merge also /sbin/ip
	{"iptables", "/usr/sbin/iptables"},
	{"nftables", "/usr/sbin/nft"},
	{"buildah", "/usr/bin/buildah"},
}

// Path is the search path of everything we start: root's, also when su or sudo kept a user's.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// missing lists the packages of which the file does not exist.
func missing(exists func(file string) bool) []string {
	var packages []string
	for _, need := range needs {
		merged := strings.TrimPrefix(need.file, "/usr")
		if !exists(need.file) && !exists(merged) {
			packages = append(packages, need.pkg)
		}
	}
	return packages
}

// Ensure installs what is missing. When it may not, the error says what to install.
func Ensure(progress io.Writer) error {
	packages := missing(func(file string) bool { _, err := os.Stat(file); return err == nil })
	if len(packages) == 0 {
		return nil
	}
	command := "apt-get install " + strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("missing packages; as root: %s", command)
	}
	fmt.Fprintln(progress, "installing Debian packages:", strings.Join(packages, " "))
	steps := [][]string{
		{"update", "-qq"},
		append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...),
	}
	for _, step := range steps {
		apt := exec.Command("apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, step...)...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := apt.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s\nby hand: %s", step[0], err, strings.TrimSpace(string(output)), command)
		}
	}
	return nil
}
