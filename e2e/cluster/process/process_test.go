package process

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	tail := " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	for _, name := range []string{"sh", "a b", "a) R 1", "((x))"} {
		state, start, err := parseStat("42 (" + name + ") S" + tail)
		if err != nil || state != 'S' || start != 4711 {
			t.Errorf("%q: got %c %d %v", name, state, start, err)
		}
	}
	for _, bad := range []string{"", "42 (sh", "42 (sh) S 1 2"} {
		if _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestRecordsSurviveAndNameOneProcess(t *testing.T) {
	records := Records(t.TempDir())
	me, err := records.Put("me", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	got, found := records.Get("me")
	if !found || got != me || !got.Alive() {
		t.Errorf("got %v %v, want %v alive", got, found, me)
	}
	for _, other := range []ID{
		{PID: me.PID, Start: me.Start + 1, Boot: me.Boot},
		{PID: me.PID, Start: me.Start, Boot: "another boot"},
	} {
		if other.Alive() {
			t.Errorf("%v counts as alive", other)
		}
		if err := other.Kill(time.Second); err != nil {
			t.Errorf("ending nobody: %v", err)
		}
	}
	if err := os.WriteFile(string(records)+"/torn", []byte("12"), 0o644); err != nil {
		t.Fatal(err)
	}
	if all, err := records.All(); err != nil || len(all) != 1 {
		t.Errorf("got %v %v, want me alone", all, err)
	}
}

func TestKillEndsTheProcess(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := Of(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Kill(10 * time.Second); err != nil {
		t.Error(err)
	}
	if id.Alive() {
		t.Error("a dead process that nobody has waited for counts as alive")
	}
	_ = child.Wait()
}
