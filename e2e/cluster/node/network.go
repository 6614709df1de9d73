package node

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"kilonova.dev/cluster/layout"
)

// bridgeLines are for `ip -batch` on the host: the wire all nodes hang on.
func bridgeLines(c layout.Cluster) []string {
	return []string{
		"link add " + c.Bridge() + " type bridge",
		fmt.Sprintf("link set %s alias %s", c.Bridge(), alias(c)),
		fmt.Sprintf("addr add %s/24 dev %s", c.HostIP(), c.Bridge()),
		"link set " + c.Bridge() + " up",
	}
}

// cableLines are for `ip -batch` on the host: node i's cable, and the way to its pods. Services are reached through the first
// node, whose kube-proxy translates what it forwards.
func cableLines(c layout.Cluster, i, pid int) []string {
	lines := []string{
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", c.Link(i), pid),
		fmt.Sprintf("link set %s alias %s", c.Link(i), alias(c)),
		fmt.Sprintf("link set %s master %s up", c.Link(i), c.Bridge()),
		fmt.Sprintf("route add %s via %s", c.PodNetwork(i), c.NodeIP(i)),
	}
	if i == 1 {
		lines = append(lines, fmt.Sprintf("route add %s via %s", c.ServiceNetwork(), c.NodeIP(i)))
	}
	return lines
}

// insideLines are for `ip -batch` inside node i. What is neither a pod of another node nor on the wire goes to the host.
func insideLines(c layout.Cluster, i int) []string {
	lines := []string{
		"link set lo up",
		fmt.Sprintf("addr add %s/24 dev eth0", c.NodeIP(i)),
		"link set eth0 up",
		fmt.Sprintf("route add default via %s", c.HostIP()),
	}
	for other := 1; other <= c.Nodes; other++ {
		if other != i {
			lines = append(lines, fmt.Sprintf("route add %s via %s", c.PodNetwork(other), c.NodeIP(other)))
		}
	}
	return lines
}

// MakeBridge lays the wire.
func MakeBridge(c layout.Cluster) error { return batch(bridgeLines(c)) }

// Connect hangs node i, whose first process is pid, on the wire.
func Connect(c layout.Cluster, i, pid int) error {
	if err := batch(cableLines(c, i, pid)); err != nil {
		return err
	}
	return Run(pid, text(insideLines(c, i)), "ip", "-batch", "-")
}

// Disconnect removes the wire and all cables; those of dead nodes may be gone already. Of c only the name counts.
func Disconnect(c layout.Cluster) error {
	for _, link := range Links(c) {
		command := exec.Command("ip", "link", "del", link)
		// A dead node's cable may vanish between being listed and being removed.
		if output, err := command.CombinedOutput(); err != nil && slices.Contains(Links(c), link) {
			return fmt.Errorf("removing interface %s: %w: %s", link, err, strings.TrimSpace(string(output)))
		}
	}
	return nil
}

func batch(lines []string) error {
	command := exec.Command("ip", "-batch", "-")
	command.Stdin = strings.NewReader(text(lines))
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("laying the cluster's network: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

func text(lines []string) string { return strings.Join(lines, "\n") + "\n" }
