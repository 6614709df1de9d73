// Package process names a process so that it can be ended later without ever ending another: a pid is reused, a pid with its
// start time and boot is not.
package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ID is one process of one boot of the machine.
type ID struct {
	PID   int
	Start uint64 // clock ticks since boot, field 22 of /proc/PID/stat
	Boot  string // /proc/sys/kernel/random/boot_id
}

// Of names the process that has this pid now.
func Of(pid int) (ID, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ID{}, fmt.Errorf("reading the start time of process %d: %w", pid, err)
	}
	_, start, err := parseStat(string(stat))
	if err != nil {
		return ID{}, fmt.Errorf("process %d: %w", pid, err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ID{}, fmt.Errorf("reading this boot's id: %w", err)
	}
	return ID{PID: pid, Start: start, Boot: strings.TrimSpace(string(boot))}, nil
}

// String is the form Parse reads.
func (id ID) String() string { return fmt.Sprintf("%d %d %s", id.PID, id.Start, id.Boot) }

// Parse reads what String wrote.
func Parse(s string) (ID, error) {
	var id ID
	if _, err := fmt.Sscanf(s, "%d %d %s", &id.PID, &id.Start, &id.Boot); err != nil || id.PID <= 1 {
		return ID{}, fmt.Errorf("%q is not a pid, a start time and a boot id", s)
	}
	return id, nil
}

// Alive says whether this very process still runs. One that has ended and waits for its parent does not.
func (id ID) Alive() bool {
	now, err := Of(id.PID)
	if err != nil || now != id {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id.PID))
	if err != nil {
		return false
	}
	state, start, err := parseStat(string(stat))
	return err == nil && start == id.Start && state != 'Z' && state != 'X'
}

// Kill ends the process and waits until it is gone. It is not an error if it was gone before.
func (id ID) Kill(patience time.Duration) error {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	} else if err != nil {
		return fmt.Errorf("opening process %d: %w", id.PID, err)
	}
	defer unix.Close(fd)
	// The descriptor is bound to whoever has the pid now: only if that is still ours may it be ended.
	if !id.Alive() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("ending process %d: %w", id.PID, err)
	}
	deadline := time.Now().Add(patience)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("process %d has not ended %s after SIGKILL", id.PID, patience)
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("waiting for process %d to end: %w", id.PID, err)
		}
		if ready > 0 {
			return nil
		}
	}
}

// parseStat reads state and start time from a line of /proc/PID/stat. The command's name stands in brackets and may itself hold
// spaces and brackets, so fields are counted from the last one.
func parseStat(line string) (state byte, start uint64, err error) {
	_, rest, found := cutLast(line, ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return 0, 0, fmt.Errorf("%q is not a line of /proc/PID/stat", line)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("start time in %q: %w", line, err)
	}
	return fields[0][0], start, nil
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}
