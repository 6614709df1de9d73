package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestLockOfWhatDoesNotExist(t *testing.T) {
	if _, err := lockExisting(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// down removes the very folder it holds; an up that waited must not go on in the removed one.
func TestWhoWaitedForARemovedFolderGetsANewOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		unlock, err := lock(dir)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
			unlock()
		}
		got <- err
	}()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
		t.Error(err)
	}
}
