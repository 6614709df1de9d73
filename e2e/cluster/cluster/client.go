package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"kilonova.dev/cluster/layout"
	"kilonova.dev/cluster/plan"
)

// client asks the parts of one cluster as its administrator.
type client struct {
	http   *http.Client
	server string
}

func newClient(c layout.Cluster) (client, error) {
	pair, err := tls.LoadX509KeyPair(c.Path("pki", "admin.crt"), c.Path("pki", "admin.key"))
	if err != nil {
		return client{}, fmt.Errorf("reading the administrator's certificate: %w", err)
	}
	authority, err := os.ReadFile(c.Path("pki", "ca.crt"))
	if err != nil {
		return client{}, fmt.Errorf("reading the cluster's authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
		DialContext:           (&net.Dialer{Timeout: time.Second}).DialContext,
		ResponseHeaderTimeout: 2 * time.Second,
		Proxy:                 nil, // the cluster is on this machine, whatever the environment says
	}
	return client{http: &http.Client{Transport: transport, Timeout: 3 * time.Second}, server: c.APIServer()}, nil
}

// healthy asks a component in the way its plan says; nil is yes.
func (c client) healthy(component plan.Component) error {
	if socket, isSocket := strings.CutPrefix(component.Health, "unix:"); isSocket {
		connection, err := net.DialTimeout("unix", socket, time.Second)
		if err != nil {
			return err
		}
		return connection.Close()
	}
	status, body, err := c.do(http.MethodGet, component.Health, "")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s answers %d: %.200s", component.Health, status, strings.TrimSpace(string(body)))
	}
	return nil
}

// ready asks the API server whether pods can be created now; nil is yes.
func (c client) ready(nodes []string) error {
	for _, name := range nodes {
		var node struct {
			Spec struct {
				Taints []struct{ Key string }
			}
			Status struct {
				Conditions []struct{ Type, Status, Message string }
			}
		}
		if err := c.get("/api/v1/nodes/"+name, &node); err != nil {
			return err
		}
		ready := "has not reported yet"
		for _, condition := range node.Status.Conditions {
			if condition.Type == "Ready" {
				ready = condition.Message
				if condition.Status == "True" {
					ready = ""
				}
			}
		}
		for _, taint := range node.Spec.Taints {
			if ready == "" && strings.HasPrefix(taint.Key, "node.kubernetes.io/not-") {
				ready = "still tainted " + taint.Key
			}
		}
		if ready != "" {
			return fmt.Errorf("node %s is not ready: %s", name, ready)
		}
	}
	// Without it a pod is refused; the controller-manager makes it.
	var account struct{}
	return c.get("/api/v1/namespaces/default/serviceaccounts/default", &account)
}

// create posts an object that may exist already.
func (c client) create(collection, object string) error {
	status, body, err := c.do(http.MethodPost, c.server+collection, object)
	if err == nil && status != http.StatusCreated && status != http.StatusConflict {
		err = fmt.Errorf("the API server answers %d: %s", status, body)
	}
	if err != nil {
		return fmt.Errorf("creating one of %s: %w", collection, err)
	}
	return nil
}

func (c client) get(path string, into any) error {
	status, body, err := c.do(http.MethodGet, c.server+path, "")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s answers %d", path, status)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

func (c client) do(method, url, body string) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}
