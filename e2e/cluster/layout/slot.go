package layout

import (
	"bufio"
	"errors"
	"net/netip"
	"strings"
)

const (
	firstOctet = 78
	// Slots is how many clusters can run side by side: 10.78.0.0/16 to 10.109.0.0/16.
	Slots = 32
)

// FreeSlot picks the first slot no other cluster has and whose network no route of the machine overlaps.
func FreeSlot(taken []int, routes []netip.Prefix) (int, error) {
	used := map[int]bool{}
	for _, slot := range taken {
		used[slot] = true
	}
	for slot := range Slots {
		network := Cluster{Slot: slot}.Network()
		free := !used[slot]
		for _, route := range routes {
			free = free && !network.Overlaps(route)
		}
		if free {
			return slot, nil
		}
	}
	return 0, errors.New("no free network: each of 10.78.0.0/16 to 10.109.0.0/16 has a cluster or a route of this machine; end a cluster with down")
}

// Routes reads the destinations `ip -4 route show table all` prints. The default route is left out: it overlaps everything and
// means only that an address is somewhere else.
func Routes(output string) []netip.Prefix {
	var routes []netip.Prefix
	lines := bufio.NewScanner(strings.NewReader(output))
	for lines.Scan() {
		for _, word := range strings.Fields(lines.Text()) {
			switch word {
			case "local", "broadcast", "unreachable", "blackhole", "prohibit", "unicast", "throw", "multicast":
				continue // the type may stand before the destination
			}
			if prefix, err := netip.ParsePrefix(word); err == nil {
				routes = append(routes, prefix)
			} else if address, err := netip.ParseAddr(word); err == nil {
				routes = append(routes, netip.PrefixFrom(address, address.BitLen()))
			}
			break
		}
	}
	return routes
}
