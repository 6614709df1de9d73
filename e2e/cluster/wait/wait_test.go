package wait

import (
	"errors"
	"testing"
	"time"
)

var (
	missing = errors.New("missing")
	fatal   = errors.New("fatal")
)

func TestForEnds(t *testing.T) {
	for name, c := range map[string]struct {
		patience time.Duration
		answers  [][2]error // the last one is repeated
		want     error
		asked    int // at least
	}{
		"at once":                 {time.Hour, [][2]error{{nil, nil}}, nil, 1},
		"when nothing is missing": {time.Hour, [][2]error{{missing, nil}, {missing, nil}, {nil, nil}}, nil, 3},
		"by an error":             {time.Hour, [][2]error{{missing, nil}, {missing, fatal}}, fatal, 2},
		"when patience is over":   {20 * time.Millisecond, [][2]error{{missing, nil}}, missing, 2},
	} {
		asked := 0
		got := For(c.patience, time.Millisecond, func() (error, error) {
			answer := c.answers[min(asked, len(c.answers)-1)]
			asked++
			return answer[0], answer[1]
		})
		if got != c.want || asked < c.asked {
			t.Errorf("%s: got %v after %d answers", name, got, asked)
		}
	}
}
