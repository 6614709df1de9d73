// Package layout says where everything of a cluster lives: its name, addresses, folders and interfaces.
// It is plain arithmetic on a name and a slot; nothing here touches the machine.
//
//	slot k, 10.(78+k).0.0/16:
//	  .0.0/24    nodes     the host's bridge is .0.1, node i is .0.(10+i)
//	  .64.0/18   pods      node i has .(64+i).0/24
//	  .128.0/17  Services  the API is .128.1
package layout

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
)

// Root holds one folder per cluster. It is short because sockets live below it (at most 107 bytes) and on a real
// filesystem because overlay mounts live below it, which a repository's own folder need not be.
const Root = "/var/lib/kilonova"

// MaxNodes bounds --nodes; every node is a whole kubelet and container runtime.
const MaxNodes = 8

// Cluster is what is remembered of a cluster; all else follows from it.
type Cluster struct {
	Name  string `json:"name"`
	Slot  int    `json:"slot"`  // which /16 it has, 0 to Slots-1
	Nodes int    `json:"nodes"` // 1 to MaxNodes
}

var name = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$`)

// CheckName refuses what could not be a folder, a part of a node's name and a cgroup.
func CheckName(s string) error {
	if !name.MatchString(s) {
		return fmt.Errorf("cluster name %q: use at most 20 of a-z, 0-9 and -, beginning and ending with a letter or digit", s)
	}
	return nil
}

// CheckNodes refuses a number of nodes this program does not run.
func CheckNodes(n int) error {
	if n < 1 || n > MaxNodes {
		return fmt.Errorf("--nodes %d: use 1 to %d", n, MaxNodes)
	}
	return nil
}

func (c Cluster) address(third, fourth byte) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(firstOctet + c.Slot), third, fourth})
}

// Network is everything the cluster may use.
func (c Cluster) Network() netip.Prefix { return netip.PrefixFrom(c.address(0, 0), 16) }

// NodeNetwork is the bridge's: the host and the nodes.
func (c Cluster) NodeNetwork() netip.Prefix { return netip.PrefixFrom(c.address(0, 0), 24) }

// HostIP is the host on the bridge; pods reach what listens there.
func (c Cluster) HostIP() netip.Addr { return c.address(0, 1) }

// NodeIP is the address of node i, counted from 1.
func (c Cluster) NodeIP(i int) netip.Addr { return c.address(0, byte(10+i)) }

// PodNetworks holds the pods of all nodes and no node.
func (c Cluster) PodNetworks() netip.Prefix { return netip.PrefixFrom(c.address(64, 0), 18) }

// PodNetwork holds the pods of node i.
func (c Cluster) PodNetwork(i int) netip.Prefix {
	return netip.PrefixFrom(c.address(byte(64+i), 0), 24)
}

// ServiceNetwork holds the ClusterIPs.
func (c Cluster) ServiceNetwork() netip.Prefix { return netip.PrefixFrom(c.address(128, 0), 17) }

// APIService is the ClusterIP of the API server: Kubernetes takes the first.
func (c Cluster) APIService() netip.Addr { return c.address(128, 1) }

// APIServer is where the API server answers, from the host, nodes and pods alike.
func (c Cluster) APIServer() string { return fmt.Sprintf("https://%s:6443", c.NodeIP(1)) }

// Bridge is the host's interface; names of interfaces have at most 15 bytes.
func (c Cluster) Bridge() string { return fmt.Sprintf("kn%d", c.Slot) }

// Link is the host's end of node i's cable.
func (c Cluster) Link(i int) string { return fmt.Sprintf("kn%dn%d", c.Slot, i) }

// NodeName is the name of the Node object and the hostname of node i.
func (c Cluster) NodeName(i int) string { return fmt.Sprintf("%s-%d", c.Name, i) }

// Zone is the failure zone node i claims to be in.
func (c Cluster) Zone(i int) string { return "zone-" + string(rune('a'+i-1)) }

// Dir holds all files of the cluster; down removes it.
func (c Cluster) Dir() string { return filepath.Join(Root, c.Name) }

// Path is a file of the cluster.
func (c Cluster) Path(elements ...string) string {
	return filepath.Join(append([]string{c.Dir()}, elements...)...)
}

// NodePath is a file of node i.
func (c Cluster) NodePath(i int, elements ...string) string {
	return c.Path(append([]string{fmt.Sprintf("n%d", i)}, elements...)...)
}

// Kubeconfig is the administrator's.
func (c Cluster) Kubeconfig() string { return c.Path("kubeconfig") }

// AuditLog is where the API server writes one JSON line per change.
func (c Cluster) AuditLog() string { return c.Path("log", "audit.log") }

// ContainerdSocket is reachable under the same path from the host and from inside node i.
func (c Cluster) ContainerdSocket(i int) string { return c.NodePath(i, "containerd.sock") }

// Cgroup is the cgroup of the cluster below the root of every hierarchy.
func (c Cluster) Cgroup() string { return "/kilonova/" + c.Name }

// NodeCgroup is the cgroup of node i: pods below it, the node's own processes in its child "system".
func (c Cluster) NodeCgroup(i int) string { return fmt.Sprintf("%s/n%d", c.Cgroup(), i) }
