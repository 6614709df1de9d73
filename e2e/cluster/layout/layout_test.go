package layout

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "run", "test-2", "0", strings.Repeat("a", 20)} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "A", "a.b", "../x", "a/b", strings.Repeat("a", 21)} {
		if CheckName(bad) == nil {
			t.Errorf("%q was taken for a name", bad)
		}
	}
}

func TestAddressesDoNotOverlap(t *testing.T) {
	c := Cluster{Name: "a", Slot: 3, Nodes: MaxNodes}
	networks := []netip.Prefix{c.NodeNetwork(), c.ServiceNetwork()}
	for i := 1; i <= c.Nodes; i++ {
		if !c.NodeNetwork().Contains(c.NodeIP(i)) || !c.PodNetworks().Overlaps(c.PodNetwork(i)) {
			t.Errorf("node %d lies outside its network", i)
		}
		networks = append(networks, c.PodNetwork(i))
	}
	for i, a := range networks {
		if !c.Network().Overlaps(a) {
			t.Errorf("%s is not in %s", a, c.Network())
		}
		for _, b := range networks[i+1:] {
			if a.Overlaps(b) {
				t.Errorf("%s overlaps %s", a, b)
			}
		}
	}
	if c.PodNetworks().Contains(c.HostIP()) {
		t.Error("kube-proxy would take the host for a pod and not masquerade")
	}
	if got := c.APIServer(); got != "https://10.81.0.11:6443" {
		t.Error(got)
	}
}

func TestLimitsOfTheKernel(t *testing.T) {
	c := Cluster{Name: strings.Repeat("a", 20), Slot: Slots - 1, Nodes: MaxNodes}
	if socket := c.ContainerdSocket(MaxNodes) + ".ttrpc"; len(socket) > 107 {
		t.Errorf("%s is too long for a socket", socket)
	}
	if link := c.Link(MaxNodes); len(link) > 15 {
		t.Errorf("%s is too long for an interface", link)
	}
}

func TestFreeSlot(t *testing.T) {
	routes := Routes(`default via 192.0.2.1 dev eth0
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2
10.79.3.0/24 dev docker0 proto kernel scope link
local 10.80.0.1 dev x table local proto kernel scope host src 10.80.0.1
`)
	if len(routes) != 3 {
		t.Fatalf("read %v", routes)
	}
	for _, c := range []struct {
		taken []int
		want  int
	}{{nil, 0}, {[]int{0}, 3}, {[]int{0, 3}, 4}} {
		if got, err := FreeSlot(c.taken, routes); err != nil || got != c.want {
			t.Errorf("taken %v: got %d, %v; want %d", c.taken, got, err, c.want)
		}
	}
	if _, err := FreeSlot(nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); err == nil {
		t.Error("a slot inside a routed network was given out")
	}
}
