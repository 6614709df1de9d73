package node

import (
	"strings"
	"testing"

	"kilonova.dev/cluster/layout"
)

func TestLines(t *testing.T) {
	c := layout.Cluster{Name: "a", Slot: 2, Nodes: 2}
	for _, test := range []struct {
		what string
		got  []string
		want string
	}{
		{"bridge", bridgeLines(c), `
link add kn2 type bridge
link set kn2 alias kilonova/a
addr add 10.80.0.1/24 dev kn2
link set kn2 up
`},
		{"first cable", cableLines(c, 1, 77), `
link add kn2n1 type veth peer name eth0 netns 77
link set kn2n1 alias kilonova/a
link set kn2n1 master kn2 up
route add 10.80.65.0/24 via 10.80.0.11
route add 10.80.128.0/17 via 10.80.0.11
`},
		{"second cable", cableLines(c, 2, 78), `
link add kn2n2 type veth peer name eth0 netns 78
link set kn2n2 alias kilonova/a
link set kn2n2 master kn2 up
route add 10.80.66.0/24 via 10.80.0.12
`},
		{"inside the second", insideLines(c, 2), `
link set lo up
addr add 10.80.0.12/24 dev eth0
link set eth0 up
route add default via 10.80.0.1
route add 10.80.65.0/24 via 10.80.0.11
`},
	} {
		if want := strings.TrimPrefix(test.want, "\n"); text(test.got) != want {
			t.Errorf("%s: got\n%swant\n%s", test.what, text(test.got), want)
		}
	}
}
