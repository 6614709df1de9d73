package debian

import (
	"slices"
	"testing"
)

func TestMissing(t *testing.T) {
	if got := missing(func(string) bool { return true }); got != nil {
		t.Errorf("nothing is missing, got %v", got)
	}
	bare := map[string]bool{"/usr/bin/buildah": true, "/sbin/ip": true} // a machine without the merge of /usr
	want := []string{"containerd", "runc", "containernetworking-plugins", "iptables", "nftables"}
	if got := missing(func(file string) bool { return bare[file] }); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
