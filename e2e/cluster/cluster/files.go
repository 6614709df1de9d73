package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"kilonova.dev/cluster/certs"
	"kilonova.dev/cluster/layout"
	"kilonova.dev/cluster/plan"
)

// prepare writes all files of a new cluster: programs, certificates, configurations.
func prepare(c layout.Cluster) error {
	for _, dir := range []string{c.Path("bin"), c.Path("log"), c.Path("process")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making a folder of the cluster: %w", err)
		}
	}
	if err := programs(c); err != nil {
		return err
	}
	files, err := plan.Files(c)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := write(file.Path, []byte(file.Content), 0o644); err != nil {
			return err
		}
	}
	return identities(c)
}

// program is the running cluster's copy of this program: a later build does not change it, and a node, whose /var/lib and /run are
// its own, can see it wherever the repository lies.
func program(c layout.Cluster) string { return c.Path("bin", "kilonova-cluster") }

func pause(c layout.Cluster) string { return c.Path("bin", "pause") }

func programs(c layout.Cluster) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	if err := place(self, program(c)); err != nil {
		return err
	}
	return place(filepath.Join(filepath.Dir(self), "pause"), pause(c))
}

// place links a file where the filesystem allows it and copies it otherwise.
func place(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("placing a program: %w; build it with: run build", err)
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return fmt.Errorf("placing a program: %w", err)
	}
	_, err = io.Copy(target, source)
	if err := errors.Join(err, target.Close()); err != nil {
		return fmt.Errorf("placing a program: %w", err)
	}
	return nil
}

func identities(c layout.Cluster) error {
	authority, err := certs.NewAuthority(c.Name)
	if err != nil {
		return err
	}
	if err := writePair(c, "ca", authority.Pair); err != nil {
		return err
	}
	for _, identity := range plan.Identities(c) {
		pair, err := authority.Issue(identity.Subject)
		if err != nil {
			return err
		}
		if identity.File != "" {
			if err := writePair(c, identity.File, pair); err != nil {
				return err
			}
		}
		if identity.Kubeconfig != "" {
			if err := write(identity.Kubeconfig, plan.RenderKubeconfig(c, authority.Cert, pair), 0o600); err != nil {
				return err
			}
		}
	}
	// The API server trusts whoever this one vouches for to name any user: nobody else may be signed by it.
	frontProxy, err := certs.NewAuthority("front-proxy")
	if err != nil {
		return err
	}
	client, err := frontProxy.Issue(certs.Subject{Name: "front-proxy-client"})
	if err != nil {
		return err
	}
	if err := errors.Join(writePair(c, "front-proxy-ca", frontProxy.Pair), writePair(c, "front-proxy", client)); err != nil {
		return err
	}
	tokens, err := certs.NewKey()
	if err != nil {
		return err
	}
	return write(c.Path("pki", "tokens.key"), tokens, 0o600)
}

func writePair(c layout.Cluster, name string, pair certs.Pair) error {
	return errors.Join(
		write(c.Path("pki", name+".crt"), pair.Cert, 0o644),
		write(c.Path("pki", name+".key"), pair.Key, 0o600),
	)
}
