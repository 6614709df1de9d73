// Package plan says what a cluster consists of: which programs run where with which flags and files, and how to ask each whether
// it is well. All of it follows from a layout.Cluster; nothing here touches the machine.
package plan

import (
	"fmt"

	"kilonova.dev/cluster/layout"
)

// Component is one long-lived program.
type Component struct {
	Name    string   // of its process record and its log: the program, and "-2" when it is node 2's
	Node    int      // in whose namespaces it runs
	Program string   // what it is called: part of this binary, or Debian's
	Args    []string // without the program
	Health  string   // URL that answers 200, or unix:PATH that takes a connection
}

// Foundation is what must answer before anything else can be started: the store, the API and the container runtimes.
func Foundation(c layout.Cluster) []Component {
	all := []Component{etcd(c), apiServer(c)}
	for i := 1; i <= c.Nodes; i++ {
		all = append(all, containerd(c, i))
	}
	return all
}

// Rest is what talks to the API server.
func Rest(c layout.Cluster) []Component {
	all := []Component{controllerManager(c), scheduler(c), coreDNS(c)}
	for i := 1; i <= c.Nodes; i++ {
		all = append(all, kubelet(c, i), kubeProxy(c, i))
	}
	return all
}

// Components is everything, in the order of starting.
func Components(c layout.Cluster) []Component { return append(Foundation(c), Rest(c)...) }

// NodeRecord is the name of the process record of node i's first process.
func NodeRecord(i int) string { return fmt.Sprintf("node-%d", i) }

func onNode(program string, i int) string { return fmt.Sprintf("%s-%d", program, i) }

func etcd(c layout.Cluster) Component {
	ip := c.NodeIP(1)
	return Component{
		Name: "etcd", Node: 1, Program: "etcd",
		Args: []string{
			"--name=" + c.Name,
			"--data-dir=" + c.Path("etcd"),
			"--unsafe-no-fsync", // nothing here outlives the machine
			// Plain and for this node alone: the network namespace has its own 127.0.0.1.
			"--listen-client-urls=http://127.0.0.1:2379",
			"--advertise-client-urls=http://127.0.0.1:2379",
			"--listen-peer-urls=http://127.0.0.1:2380",
			"--initial-advertise-peer-urls=http://127.0.0.1:2380",
			"--initial-cluster=" + c.Name + "=http://127.0.0.1:2380",
			fmt.Sprintf("--listen-metrics-urls=http://%s:2381", ip),
			"--log-level=warn",
		},
		Health: fmt.Sprintf("http://%s:2381/health", ip),
	}
}

func apiServer(c layout.Cluster) Component {
	pki := func(file string) string { return c.Path("pki", file) }
	return Component{
		Name: "kube-apiserver", Node: 1, Program: "kube-apiserver",
		Args: []string{
			"--advertise-address=" + c.NodeIP(1).String(),
			"--etcd-servers=http://127.0.0.1:2379",
			"--service-cluster-ip-range=" + c.ServiceNetwork().String(),
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--allow-privileged",
			"--client-ca-file=" + pki("ca.crt"),
			"--tls-cert-file=" + pki("control.crt"), "--tls-private-key-file=" + pki("control.key"),
			// By address: nobody resolves the nodes' names.
			"--kubelet-preferred-address-types=InternalIP",
			"--kubelet-certificate-authority=" + pki("ca.crt"),
			"--kubelet-client-certificate=" + pki("kubelet-client.crt"), "--kubelet-client-key=" + pki("kubelet-client.key"),
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + pki("tokens.key"), "--service-account-signing-key-file=" + pki("tokens.key"),
			// Aggregated APIs.
			"--requestheader-client-ca-file=" + pki("front-proxy-ca.crt"),
			"--requestheader-allowed-names=front-proxy-client",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--requestheader-group-headers=X-Remote-Group",
			"--requestheader-username-headers=X-Remote-User",
			"--proxy-client-cert-file=" + pki("front-proxy.crt"), "--proxy-client-key-file=" + pki("front-proxy.key"),
			"--audit-policy-file=" + c.Path("config", "audit.yaml"),
			"--audit-log-path=" + c.AuditLog(),
			"--audit-log-maxsize=1000", "--audit-log-maxbackup=1", // MB; tests read one file
		},
		Health: c.APIServer() + "/readyz",
	}
}

func controllerManager(c layout.Cluster) Component {
	pki := func(file string) string { return c.Path("pki", file) }
	return Component{
		Name: "kube-controller-manager", Node: 1, Program: "kube-controller-manager",
		Args: append(behindAPI(c, "kube-controller-manager"),
			"--use-service-account-credentials",
			"--kube-api-qps=200", "--kube-api-burst=400", // its fifty controllers start at once: 4 s sooner
			"--service-account-private-key-file="+pki("tokens.key"),
			"--root-ca-file="+pki("ca.crt"),
			"--cluster-signing-cert-file="+pki("ca.crt"), "--cluster-signing-key-file="+pki("ca.key"),
		),
		Health: fmt.Sprintf("https://%s:10257/healthz", c.NodeIP(1)),
	}
}

func scheduler(c layout.Cluster) Component {
	return Component{
		Name: "kube-scheduler", Node: 1, Program: "kube-scheduler",
		Args:   behindAPI(c, "kube-scheduler"),
		Health: fmt.Sprintf("https://%s:10259/healthz", c.NodeIP(1)),
	}
}

// behindAPI is how controller-manager and scheduler reach the API server and are reached. There is one of each, so they elect
// nobody: one that is started again need not wait for its own old lease.
func behindAPI(c layout.Cluster, user string) []string {
	config := Kubeconfig(c, user)
	return []string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--bind-address=" + c.NodeIP(1).String(),
		"--tls-cert-file=" + c.Path("pki", "control.crt"), "--tls-private-key-file=" + c.Path("pki", "control.key"),
		"--leader-elect=false",
	}
}

func coreDNS(c layout.Cluster) Component {
	return Component{
		Name: "coredns", Node: 1, Program: "coredns",
		Args:   []string{"-conf=" + c.Path("config", "Corefile")},
		Health: fmt.Sprintf("http://%s:10054/ready", c.NodeIP(1)),
	}
}

func containerd(c layout.Cluster, i int) Component {
	return Component{
		Name: onNode("containerd", i), Node: i, Program: "containerd",
		Args:   []string{"--config=" + c.NodePath(i, "containerd.toml")},
		Health: "unix:" + c.ContainerdSocket(i),
	}
}

func kubelet(c layout.Cluster, i int) Component {
	return Component{
		Name: onNode("kubelet", i), Node: i, Program: "kubelet",
		Args: []string{
			"--config=" + c.NodePath(i, "kubelet.yaml"),
			"--kubeconfig=" + Kubeconfig(c, onNode("kubelet", i)),
			"--hostname-override=" + c.NodeName(i),
			"--node-ip=" + c.NodeIP(i).String(),
			"--node-labels=topology.kubernetes.io/zone=" + c.Zone(i),
		},
		Health: fmt.Sprintf("http://%s:10248/healthz", c.NodeIP(i)),
	}
}

func kubeProxy(c layout.Cluster, i int) Component {
	return Component{
		Name: onNode("kube-proxy", i), Node: i, Program: "kube-proxy",
		Args: []string{
			"--kubeconfig=" + Kubeconfig(c, "kube-proxy"),
			"--hostname-override=" + c.NodeName(i),
			"--proxy-mode=nftables",
			// Who is not a pod gets a masqueraded connection to a Service: else a pod on another node would answer the host past
			// the node that translated the address.
			"--cluster-cidr=" + c.PodNetworks().String(),
			fmt.Sprintf("--healthz-bind-address=%s:10256", c.NodeIP(i)),
			// The machine's, not the node's: leave them.
			"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
			"--oom-score-adj=0",
		},
		Health: fmt.Sprintf("http://%s:10256/healthz", c.NodeIP(i)),
	}
}

// Kubeconfig is the file with which a part of the cluster speaks to the API server.
func Kubeconfig(c layout.Cluster, user string) string { return c.Path("config", user+".kubeconfig") }
