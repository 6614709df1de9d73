// Package wait waits for what becomes true by itself.
package wait

import "time"

// For asks at once and then with every pulse until nothing is missing. It ends early with an error that no waiting mends, and with
// what is still missing when patience is over.
func For(patience, pulse time.Duration, ask func() (missing, err error)) error {
	over := time.NewTimer(patience)
	defer over.Stop()
	again := time.NewTicker(pulse)
	defer again.Stop()
	for {
		missing, err := ask()
		if missing == nil || err != nil {
			return err
		}
		select {
		case <-over.C:
			return missing
		case <-again.C:
		}
	}
}
