package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Records is a folder with one file per process that was started, named by what it is.
type Records string

// Put remembers the process that has this pid now under a name.
func (r Records) Put(name string, pid int) (ID, error) {
	id, err := Of(pid)
	if err != nil {
		return ID{}, err
	}
	if err := os.WriteFile(filepath.Join(string(r), name), []byte(id.String()+"\n"), 0o644); err != nil {
		return ID{}, fmt.Errorf("recording process %d as %s: %w", pid, name, err)
	}
	return id, nil
}

// Get answers the process recorded under a name, dead or alive; found is false when there is none or its file is damaged, for a
// record that cannot be read names nobody.
func (r Records) Get(name string) (id ID, found bool) {
	content, err := os.ReadFile(filepath.Join(string(r), name))
	if err != nil {
		return ID{}, false
	}
	id, err = Parse(string(content))
	return id, err == nil
}

// All answers every process recorded.
func (r Records) All() (map[string]ID, error) {
	entries, err := os.ReadDir(string(r))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading the records of processes: %w", err)
	}
	all := map[string]ID{}
	for _, entry := range entries {
		if id, found := r.Get(entry.Name()); found {
			all[entry.Name()] = id
		}
	}
	return all, nil
}
