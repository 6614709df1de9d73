package image

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestArchiveHoldsTheProgram(t *testing.T) {
	var archive bytes.Buffer
	if err := WriteArchive(&archive, "localhost/a:1", "pause", []byte("program")); err != nil {
		t.Fatal(err)
	}
	contents := map[string]string{}
	for files := tar.NewReader(&archive); ; {
		header, err := files.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		contents[header.Name] = string(content)
	}
	manifest := contents["manifest.json"]
	if !strings.Contains(manifest, `"RepoTags":["localhost/a:1"]`) || !strings.Contains(manifest, `"Layers":["layer.tar"]`) {
		t.Errorf("manifest %s", manifest)
	}
	config := contents[digest([]byte(configOf(t, contents)))+".json"]
	if !strings.Contains(config, "sha256:"+digest([]byte(contents["layer.tar"]))) {
		t.Errorf("the configuration %s does not name the layer", config)
	}
	if !strings.Contains(contents["layer.tar"], "program") {
		t.Error("the layer does not hold the program")
	}
}

func configOf(t *testing.T, contents map[string]string) string {
	t.Helper()
	for name, content := range contents {
		if strings.HasSuffix(name, ".json") && name != "manifest.json" {
			return content
		}
	}
	t.Fatal("no configuration")
	return ""
}

func TestQualified(t *testing.T) {
	for name, want := range map[string]string{
		"a":                            "localhost/a:latest",
		"kilonova/server:dev":          "localhost/kilonova/server:dev",
		"localhost/kilonova/server":    "localhost/kilonova/server:latest",
		"localhost:5000/a":             "localhost:5000/a:latest",
		"registry.example/a/b:1":       "registry.example/a/b:1",
		"registry.example/a@sha256:00": "registry.example/a@sha256:00",
	} {
		if got := Qualified(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
