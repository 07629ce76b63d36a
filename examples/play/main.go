// Command play is the smallest player: it shows a file, or the built-in picture, in a
// window with sound.
//
//	go run ./examples/play film.mp4
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/scanout-av/scanout/player"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := play(ctx, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func play(ctx context.Context, args []string) error {
	cfg := player.Config{Media: "pattern:duration=5s"}
	if len(args) > 0 {
		cfg.Media = args[0]
	}
	if !player.HasDisplay() {
		cfg.Output = player.OutputOffscreen
	}
	p, err := player.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Run(ctx); err != nil {
		return err
	}
	s := p.Stats()
	log.Printf("%d frames shown by %s, %d dropped", s.Presented, s.Renderer, s.Dropped)
	return nil
}
