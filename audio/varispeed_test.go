package audio

import (
	"math"
	"math/rand/v2"
	"testing"
)

// sineWave is n stereo samples of a sine from sample number from on; the right channel is the
// negative of the left.
func sineWave(hz float64, from, n int) []float32 {
	s := make([]float32, 2*n)
	for i := range n {
		v := float32(0.5 * math.Sin(2*math.Pi*hz*float64(from+i)/48000))
		s[2*i], s[2*i+1] = v, -v
	}
	return s
}

// TestVarispeedTone plays tones at several speeds in blocks of odd lengths: what comes out
// is the tone at the speed, with noise 70 dB below it.
func TestVarispeedTone(t *testing.T) {
	for _, hz := range []float64{100, 1000, 8000, 14000} {
		for _, speed := range []float64{1, 1.001, 0.999, 1.00125, 1.02, 0.98} {
			v := NewVarispeed(2)
			var out []float32
			fed := 0
			for i := range 200 {
				n := 480 + i%7
				out = append(out, v.Process(sineWave(hz, fed, n), speed)...)
				fed += n
			}
			if want := float64(fed) / speed; math.Abs(float64(len(out)/2)-want) > 2 {
				t.Errorf("%v Hz at %v: %d samples from %d, want %.0f", hz, speed, len(out)/2, fed, want)
			}
			var noise, signal float64
			for k := 200; k < len(out)/2; k++ {
				at := float64(k)*speed - VarispeedDelay
				want := 0.5 * math.Sin(2*math.Pi*hz*at/48000)
				d := float64(out[2*k]) - want
				noise += d * d
				signal += want * want
				if out[2*k] != -out[2*k+1] {
					t.Fatalf("%v Hz at %v: channels differ", hz, speed)
				}
			}
			if db := 10 * math.Log10(noise/signal); db > -70 {
				t.Errorf("%v Hz at %v: noise at %.1f dB", hz, speed, db)
			}
		}
	}
}

// TestVarispeedBack returns to speed 1: sound is copied bit for bit from then on.
func TestVarispeedBack(t *testing.T) {
	v := NewVarispeed(2)
	v.Process(sineWave(440, 0, 4801), 1.0003)
	v.Process(sineWave(440, 4801, 480), 1)
	v.Process(sineWave(440, 5281, 480), 1)
	in := sineWave(440, 5761, 480)
	out := append([]float32(nil), v.Process(in, 1)...)
	out = append(out, v.Process(sineWave(440, 6241, 480), 1)...)
	for off := range 2 * varispeedTaps {
		same := 0
		for i := range in {
			if i+2*off < len(out) && out[i+2*off] == in[i] {
				same++
			}
		}
		if same == len(in) {
			return
		}
	}
	t.Error("sound is not what went in")
}

func TestVarispeedOddSpeeds(t *testing.T) {
	v := NewVarispeed(1)
	for _, speed := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 5} {
		if n := len(v.Process(make([]float32, 1000), speed)); n < 900 || n > 1100 {
			t.Errorf("speed %v: %d samples from 1000", speed, n)
		}
	}
	if len(v.Process(nil, 1)) > 40 {
		t.Error("something came of nothing")
	}
}

func TestVarispeedAllocatesNothing(t *testing.T) {
	v := NewVarispeed(2)
	in := sineWave(440, 0, 480)
	for range 10 {
		v.Process(in, 1.001)
	}
	if n := testing.AllocsPerRun(100, func() { v.Process(in, 1.001) }); n != 0 {
		t.Errorf("%v allocations a block", n)
	}
}

// BenchmarkVarispeed is a second of stereo sound.
func BenchmarkVarispeed(b *testing.B) {
	for _, c := range []struct {
		name  string
		speed float64
	}{{"resampled", 1.001}, {"copied", 1}} {
		b.Run(c.name, func(b *testing.B) {
			v := NewVarispeed(2)
			in := sineWave(440, 0, 480)
			for b.Loop() {
				for range 100 {
					v.Process(in, c.speed)
				}
			}
		})
	}
}

// TestVarispeedBlocks: blocks of any length, empty ones among them, at speeds that change
// and come back to 1, lose no sample.
func TestVarispeedBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		v := NewVarispeed(2)
		want, got := 0.0, 0
		for range 60 {
			n, speed := rng.IntN(3)*rng.IntN(20), 1.0
			switch rng.IntN(4) {
			case 0:
				speed += rng.Float64() * MaxVarispeed
			case 1:
				speed += MaxVarispeed
			}
			got += len(v.Process(make([]float32, 2*n), speed)) / 2
			want += float64(n) / speed
		}
		if math.Abs(float64(got)-want) > 30 { // half a sample each time that the speed comes back
			t.Fatalf("%d samples, want %.0f", got, want)
		}
	}
}
