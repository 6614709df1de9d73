package plan

import (
	"embed"
	"fmt"
	"strings"
	"text/template"

	"kilonova.dev/cluster/layout"
)

// PauseImage is the name of the sandbox image in every node; it exists nowhere else.
const PauseImage = "localhost/kilonova/pause:1"

// CoreDNSUser is the name CoreDNS shows the API server.
const CoreDNSUser = "system:coredns"

//go:embed files
var files embed.FS

var templates = template.Must(template.ParseFS(files, "files/*"))

// File is a configuration to be written before anything starts.
type File struct {
	Path    string
	Content string
}

// Files lists the configurations of all components.
func Files(c layout.Cluster) ([]File, error) {
	wanted := []struct {
		template, path string
		node           int
	}{
		{"audit.yaml", c.Path("config", "audit.yaml"), 1},
		{"Corefile", c.Path("config", "Corefile"), 1},
		{"resolv.conf", c.Path("config", "resolv.conf"), 1},
	}
	for i := 1; i <= c.Nodes; i++ {
		for file, path := range map[string]string{
			"containerd.toml": c.NodePath(i, "containerd.toml"),
			"kubelet.yaml":    c.NodePath(i, "kubelet.yaml"),
			"cni.conflist":    c.NodePath(i, "cni", "10-kilonova.conflist"),
		} {
			wanted = append(wanted, struct {
				template, path string
				node           int
			}{file, path, i})
		}
	}
	var all []File
	for _, w := range wanted {
		var content strings.Builder
		err := templates.ExecuteTemplate(&content, w.template, struct {
			layout.Cluster
			Node       int
			PauseImage string
		}{c, w.node, PauseImage})
		if err != nil {
			return nil, fmt.Errorf("rendering %s: %w", w.template, err)
		}
		all = append(all, File{w.path, content.String()})
	}
	return all, nil
}

// Objects are created in a new cluster: paths of collections and what to post there.
var Objects = []struct{ Collection, JSON string }{
	{
		"/apis/rbac.authorization.k8s.io/v1/clusterroles",
		`{"metadata":{"name":"` + CoreDNSUser + `"},"rules":[
			{"apiGroups":[""],"resources":["services","namespaces"],"verbs":["list","watch"]},
			{"apiGroups":["discovery.k8s.io"],"resources":["endpointslices"],"verbs":["list","watch"]}]}`,
	},
	{
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
		`{"metadata":{"name":"` + CoreDNSUser + `"},
			"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"` + CoreDNSUser + `"},
			"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"` + CoreDNSUser + `"}]}`,
	},
}
