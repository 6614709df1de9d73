package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"kilonova.dev/cluster/image"
)

// Load brings images, each an archive's path or the name of an image of buildah's, into every node of a cluster.
func Load(name string, images []string, progress io.Writer) error {
	c, err := Find(name)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.Dir(), "load-")
	if err != nil {
		return fmt.Errorf("making a folder for archives: %w", err)
	}
	defer os.RemoveAll(dir)
	for _, what := range images {
		archive, err := image.Archive(what, dir)
		if err != nil {
			return err
		}
		problems := make([]error, c.Nodes)
		lines := make([]string, c.Nodes)
		var all sync.WaitGroup
		for i := range c.Nodes {
			all.Go(func() { lines[i], problems[i] = importFile(c.ContainerdSocket(i+1), archive) })
		}
		all.Wait()
		if err := errors.Join(problems...); err != nil {
			return fmt.Errorf("loading %s into cluster %s: %w", what, name, err)
		}
		fmt.Fprintf(progress, "loaded %s into %d node(s): %s\n", what, c.Nodes, lines[0])
	}
	return nil
}

func importFile(socket, archive string) (string, error) {
	file, err := os.Open(archive)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return image.Import(socket, file)
}
