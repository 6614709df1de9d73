package plan

import (
	"encoding/base64"
	"fmt"
	"net/netip"

	"kilonova.dev/cluster/certs"
	"kilonova.dev/cluster/layout"
)

// Identity is somebody who shows a certificate of the cluster's authority.
type Identity struct {
	Subject    certs.Subject
	File       string // pki/FILE.crt and .key when set
	Kubeconfig string // path of a kubeconfig that holds the pair, when set
}

// Identities lists them all.
func Identities(c layout.Cluster) []Identity {
	control := certs.Subject{
		Name: "kube-apiserver",
		DNS: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost",
		},
		IPs: []netip.Addr{c.NodeIP(1), c.APIService(), netip.MustParseAddr("127.0.0.1")},
	}
	admins := []string{"system:masters"}
	all := []Identity{
		{Subject: control, File: "control"},
		{Subject: certs.Subject{Name: "kilonova-admin", Groups: admins}, File: "admin", Kubeconfig: c.Kubeconfig()},
		{Subject: certs.Subject{Name: "kube-apiserver-kubelet-client", Groups: admins}, File: "kubelet-client"},
		user(c, "kube-controller-manager", "system:kube-controller-manager"),
		user(c, "kube-scheduler", "system:kube-scheduler"),
		user(c, "kube-proxy", "system:kube-proxy"),
		user(c, "coredns", CoreDNSUser),
	}
	for i := 1; i <= c.Nodes; i++ {
		node := onNode("kubelet", i)
		all = append(all, Identity{
			Subject: certs.Subject{
				Name: "system:node:" + c.NodeName(i), Groups: []string{"system:nodes"},
				DNS: []string{c.NodeName(i)}, IPs: []netip.Addr{c.NodeIP(i)},
			},
			File:       node,
			Kubeconfig: Kubeconfig(c, node),
		})
	}
	return all
}

func user(c layout.Cluster, file, name string) Identity {
	return Identity{Subject: certs.Subject{Name: name}, Kubeconfig: Kubeconfig(c, file)}
}

// RenderKubeconfig is a self-contained kubeconfig: it can be copied anywhere on the machine.
func RenderKubeconfig(c layout.Cluster, authority []byte, pair certs.Pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: %[1]s
  cluster: {server: "%[2]s", certificate-authority-data: %[3]s}
users:
- name: %[1]s
  user: {client-certificate-data: %[4]s, client-key-data: %[5]s}
contexts:
- name: %[1]s
  context: {cluster: %[1]s, user: %[1]s}
current-context: %[1]s
`, c.Name, c.APIServer(), encode(authority), encode(pair.Cert), encode(pair.Key))
}
