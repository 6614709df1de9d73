package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const (
	version1 = `proc /proc proc rw,relatime 0 0
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
`
	version2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0\n"
	hybrid   = `cgroup2 /sys/fs/cgroup cgroup2 rw,relatime 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0
`
)

func TestVersion(t *testing.T) {
	for _, c := range []struct {
		mounts string
		want   int
	}{{version1, 1}, {version2, 2}, {hybrid, 2}, {"proc /proc proc rw 0 0\n", 0}} {
		if got := Version(Hierarchies(c.mounts)); got != c.want {
			t.Errorf("got version %d, want %d, of\n%s", got, c.want, c.mounts)
		}
	}
}

func TestHierarchies(t *testing.T) {
	got := Hierarchies(version1 + version1)
	if len(got) != 3 {
		t.Fatalf("got %v", got)
	}
	if !slices.Equal(got[0].Controllers, []string{"cpu", "cpuacct"}) || got[0].Mount != "/sys/fs/cgroup/cpu,cpuacct" {
		t.Errorf("got %v", got[0])
	}
	if !got[2].Unified {
		t.Errorf("got %v", got[2])
	}
}

// On version 2 every cgroup above the one with processes must pass its controllers on, and that one must not.
func TestMakeOnVersion2(t *testing.T) {
	root := t.TempDir()
	node := filepath.Join(root, "kilonova/a/n1")
	if err := os.MkdirAll(filepath.Join(node, "system"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "kilonova", "kilonova/a", "kilonova/a/n1", "kilonova/a/n1/system"} {
		if err := os.WriteFile(filepath.Join(root, dir, "cgroup.controllers"), []byte("memory\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := Make([]Hierarchy{{Mount: root, Unified: true}}, System("/kilonova/a/n1")); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{"": true, "kilonova": true, "kilonova/a": true, "kilonova/a/n1": true, "kilonova/a/n1/system": false} {
		_, err := os.Stat(filepath.Join(root, dir, "cgroup.subtree_control"))
		if got := err == nil; got != want {
			t.Errorf("/%s passes controllers on: %v, want %v", dir, got, want)
		}
	}
}

func TestRemoveTakesAllBelowAndLeavesOthers(t *testing.T) {
	root := t.TempDir()
	hierarchies := []Hierarchy{{Mount: root, Controllers: []string{"memory"}}}
	for _, path := range []string{"/kilonova/a/n1/kubepods/pod1", "/kilonova/b"} {
		if err := Make(hierarchies, path); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove(hierarchies, "/kilonova/a", time.Second); err != nil {
		t.Fatal(err)
	}
	if left := Remains(hierarchies, "/kilonova/a"); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if left := Remains(hierarchies, "/kilonova/b"); len(left) != 1 {
		t.Errorf("of the other cluster only %v is left", left)
	}
	if err := Remove(hierarchies, "/kilonova/b", time.Second); err != nil {
		t.Fatal(err)
	}
	if left := Remains(hierarchies, "/kilonova"); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
