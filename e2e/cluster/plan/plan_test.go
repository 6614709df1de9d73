package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"kilonova.dev/cluster/certs"
	"kilonova.dev/cluster/layout"
)

var two = layout.Cluster{Name: "a", Slot: 1, Nodes: 2}

func TestEveryNodeHasItsParts(t *testing.T) {
	var names []string
	for _, component := range Components(two) {
		names = append(names, component.Name)
		if component.Health == "" || component.Node < 1 || component.Node > two.Nodes {
			t.Errorf("%+v", component)
		}
	}
	want := []string{
		"etcd", "kube-apiserver", "containerd-1", "containerd-2", "kube-controller-manager", "kube-scheduler", "coredns",
		"kubelet-1", "kube-proxy-1", "kubelet-2", "kube-proxy-2",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %v", names)
	}
}

// A flag that names a file nobody writes fails only when the program starts, with that program's words.
func TestFlagsNameFilesThatAreWritten(t *testing.T) {
	written := map[string]bool{two.AuditLog(): true, two.Path("etcd"): true}
	files, err := Files(two)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		written[file.Path] = true
		if strings.Contains(file.Content, "<no value>") {
			t.Errorf("%s has a hole", file.Path)
		}
	}
	for _, identity := range Identities(two) {
		written[identity.Kubeconfig] = true
		written[two.Path("pki", identity.File+".crt")] = true
		written[two.Path("pki", identity.File+".key")] = true
	}
	for _, name := range []string{"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy.crt", "front-proxy.key", "tokens.key"} {
		written[two.Path("pki", name)] = true
	}
	for _, component := range Components(two) {
		for _, argument := range component.Args {
			_, value, _ := strings.Cut(argument, "=")
			if strings.HasPrefix(value, two.Dir()) && !written[value] {
				t.Errorf("%s: nobody writes %s", component.Name, argument)
			}
		}
	}
}

func TestNodesShareNoAddressOrCgroup(t *testing.T) {
	files, err := Files(two)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, file := range files {
		content[file.Path] = file.Content
	}
	for path, want := range map[string]string{
		two.NodePath(1, "kubelet.yaml"):                "cgroupRoot: /kilonova/a/n1\n",
		two.NodePath(2, "kubelet.yaml"):                "cgroupRoot: /kilonova/a/n2\n",
		two.NodePath(2, "containerd.toml"):             `address = "/var/lib/kilonova/a/n2/containerd.sock"`,
		two.NodePath(1, "cni", "10-kilonova.conflist"): `"subnet": "10.79.65.0/24"`,
		two.NodePath(2, "cni", "10-kilonova.conflist"): `"subnet": "10.79.66.0/24"`,
	} {
		if !strings.Contains(content[path], want) {
			t.Errorf("%s lacks %s:\n%s", path, want, content[path])
		}
	}
	if !json.Valid([]byte(content[two.NodePath(1, "cni", "10-kilonova.conflist")])) {
		t.Error("the CNI configuration is not JSON")
	}
}

func TestObjectsAreJSON(t *testing.T) {
	for _, object := range Objects {
		if !json.Valid([]byte(object.JSON)) {
			t.Error(object.JSON)
		}
	}
}

func TestRenderKubeconfig(t *testing.T) {
	got := string(RenderKubeconfig(two, []byte("ca"), certs.Pair{Cert: []byte("cert"), Key: []byte("key")}))
	for _, want := range []string{`server: "https://10.79.0.11:6443", certificate-authority-data: Y2E=`, "client-key-data: a2V5"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}
