package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// lock makes a folder and holds it against other runs of this program until the answer is called. The folder itself is locked, so
// nothing remains when it is removed; whoever waited meanwhile for the removed one tries again with the new.
func lock(dir string) (unlock func(), err error) {
	for {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("making the cluster's folder: %w", err)
		}
		unlock, err := lockExisting(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			return unlock, err
		}
	}
}

// lockExisting is lock for a folder that may not exist: the error is then fs.ErrNotExist.
func lockExisting(dir string) (unlock func(), err error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	held, err := file.Stat()
	if err == nil {
		var named fs.FileInfo
		if named, err = os.Stat(dir); err == nil && os.SameFile(held, named) {
			return func() { _ = file.Close() }, nil
		}
	}
	_ = file.Close()
	return nil, fs.ErrNotExist
}
