package file

import (
	"errors"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/scanout-av/scanout/media"
)

// picture writes a PNG file.
func picture(t *testing.T, name string, w, h int) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
}

// TestLiterally opens what looks like the pattern of a sequence: the file of that name where there
// is one, else the sequence.
func TestLiterally(t *testing.T) {
	needFFmpeg(t)
	dir := t.TempDir()
	for _, n := range []string{"img001.png", "img002.png"} {
		picture(t, filepath.Join(dir, n), 32, 16)
	}
	read := func(name string) (width, n int) {
		t.Helper()
		s := open(t, filepath.Join(dir, name))
		width = s.Info().Best(media.KindVideo).Width
		for {
			var au media.AccessUnit
			err := s.Read(&au)
			if errors.Is(err, io.EOF) {
				return width, n
			}
			if err != nil {
				t.Fatal(err)
			}
			au.Release()
			n++
		}
	}
	const pattern = "img%03d.png"
	if w, n := read(pattern); w != 32 || n != 2 {
		t.Errorf("the sequence: %d pictures of width %d, want 2 of 32", n, w)
	}
	for _, name := range []string{pattern, "img%2d.png", "a*?[1]{b,c}.png", "50%.png"} {
		picture(t, filepath.Join(dir, name), 64, 48)
		if w, n := read(name); w != 64 || n != 1 {
			t.Errorf("%s: %d pictures of width %d, want 1 of 64", name, n, w)
		}
	}
}
