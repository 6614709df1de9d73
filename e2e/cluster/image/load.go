package image

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Import gives an archive (docker's or OCI's form) to the containerd behind a socket, where the kubelet will find it. A name it
// holds already then means the new image. It answers what containerd says: one line per image.
func Import(socket string, archive io.Reader) (string, error) {
	command := exec.Command("ctr", "--address", socket, "--namespace", "k8s.io", "images", "import", "-")
	command.Stdin = archive
	output, err := command.CombinedOutput()
	text := strings.TrimSpace(string(output))
	if err != nil {
		return "", fmt.Errorf("importing an image: %w: %s", err, text)
	}
	return text, nil
}

// Archive answers the path of an archive of what the user named: a file as it is, else an image of buildah's, written into dir.
func Archive(what, dir string) (string, error) {
	if info, err := os.Stat(what); err == nil && info.Mode().IsRegular() {
		return what, nil
	}
	if strings.HasPrefix(what, "/") || strings.HasPrefix(what, ".") {
		return "", fmt.Errorf("%s: no such file", what)
	}
	if _, err := exec.LookPath("buildah"); err != nil {
		return "", fmt.Errorf("%s is no file, and without buildah it cannot be an image: %w", what, err)
	}
	name := Qualified(what)
	path := filepath.Join(dir, strings.NewReplacer("/", "_", ":", "_").Replace(name)+".tar")
	// Pushing does not replace an archive.
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("replacing the archive of %s: %w", what, err)
	}
	output, err := exec.Command("buildah", "push", "--quiet", name, "docker-archive:"+path+":"+name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s is neither a file nor an image of buildah's: %w: %s", what, err, strings.TrimSpace(string(output)))
	}
	return path, nil
}

// Qualified is the full form of a local image's name, which is how a pod must call it: buildah keeps "a" as "localhost/a:latest".
func Qualified(name string) string {
	first, _, nested := strings.Cut(name, "/")
	if !nested || !strings.ContainsAny(first, ".:") && first != "localhost" {
		name = "localhost/" + name
	}
	if last := name[strings.LastIndex(name, "/")+1:]; !strings.ContainsAny(last, ":@") {
		name += ":latest"
	}
	return name
}
