package render

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

func TestChooseMode(t *testing.T) {
	const (
		fifo, latest, mailbox, immediate = media.PresentModeFIFO, media.PresentModeLatest, media.PresentModeMailbox, media.PresentModeImmediate
		hz60, hz120                      = time.Second / 60, time.Second / 120
	)
	all := []media.PresentMode{fifo, latest, mailbox, immediate}
	for _, c := range []struct {
		name            string
		want            media.PresentMode
		offered         []media.PresentMode
		source, refresh time.Duration
		mode            media.PresentMode // 0: refused
	}{
		{"files", media.PresentModeAuto, all, hz60, hz60, fifo},
		{"a display faster than the source", media.PresentModeAuto, all, hz60, hz120, fifo},
		{"a source faster than the display", media.PresentModeAuto, all, hz120, hz60, latest},
		{"a source as good as the display's rate", media.PresentModeAuto, all, time.Second * 1000 / 60000, time.Second * 1001 / 60000, fifo},
		{"a faster source without latest", media.PresentModeAuto, []media.PresentMode{fifo, mailbox}, hz120, hz60, fifo},
		{"a source that does not say", media.PresentModeAuto, all, 0, hz60, fifo},
		{"a display that does not say", media.PresentModeAuto, all, hz120, 0, fifo},
		{"asked for", mailbox, all, hz60, hz60, mailbox},
		{"asked for, not offered", immediate, []media.PresentMode{fifo, mailbox}, hz60, hz60, 0},
	} {
		m, err := chooseMode(c.want, c.offered, c.source, c.refresh)
		if m != c.mode || (err != nil) != (c.mode == 0) {
			t.Errorf("%s: %v, %v; want %v", c.name, m, err, c.mode)
		}
		if err != nil && (!errors.Is(err, media.ErrNotSupported) || !strings.Contains(err.Error(), "[fifo mailbox]")) {
			t.Errorf("%s: the error must name the choices: %v", c.name, err)
		}
	}
}
