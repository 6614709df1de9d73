package node

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"kilonova.dev/cluster/layout"
)

// alias marks an interface as the cluster's, so that it is found also when all files of the cluster are lost.
func alias(c layout.Cluster) string { return "kilonova/" + c.Name }

// Links lists the interfaces of a cluster the host still has, cables before the bridge.
func Links(c layout.Cluster) []string {
	var found []string
	files, _ := filepath.Glob("/sys/class/net/kn*/ifalias") // the pattern is well-formed: no error
	for _, file := range files {
		if content, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(content)) == alias(c) {
			found = append(found, filepath.Base(filepath.Dir(file)))
		}
	}
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	return found
}

// Routes lists what the machine has routes to.
func Routes() ([]netip.Prefix, error) {
	output, err := exec.Command("ip", "-4", "route", "show", "table", "all").Output()
	if err != nil {
		return nil, fmt.Errorf("reading the machine's routes: %w", err)
	}
	return layout.Routes(string(output)), nil
}
