package audio

import "math"

// Varispeed plays sound a little faster or slower, so that it keeps step with a display or
// with a sender whose clock is not ours. Pitch goes with the speed: it is for changes that
// nobody hears, up to MaxVarispeed.
//
// It interpolates with a windowed sinc of varispeedTaps samples, in varispeedPhases phases
// with linear interpolation between them: noise is 80 dB below a tone of up to 16 kHz.
// Sound is delayed by VarispeedDelay samples, whatever the speed; at speed 1, on a whole
// sample, it is copied.
//
// Concurrency: one goroutine.
type Varispeed struct {
	channels int
	in       []float32 // what has come and is still needed, interleaved
	out      []float32
	at       float64         // position of the next output, in samples of in, less the taps before it
	table    *varispeedTable // nil until it is needed
}

const (
	varispeedTaps   = 32
	varispeedPhases = 128
	// VarispeedDelay is how many samples the sound is held back.
	VarispeedDelay = varispeedTaps / 2
	// MaxVarispeed is how far the speed may be off 1: scrcpy's limit for catching up.
	MaxVarispeed = 0.02
)

// varispeedTable holds the taps of each phase, and those of the next one once more at the
// end.
type varispeedTable [varispeedPhases + 1][varispeedTaps]float32

// newVarispeedTable computes a sinc under a Kaiser window (β 9: side lobes at −90 dB).
func newVarispeedTable() *varispeedTable {
	t := new(varispeedTable)
	const beta = 9.0
	for p := range t {
		sum := 0.0
		var taps [varispeedTaps]float64
		for k := range taps {
			// Distance of tap k from the output, which lies between taps half−1 and half.
			x := float64(k-varispeedTaps/2+1) - float64(p)/varispeedPhases
			w := x / (varispeedTaps / 2)
			if w <= -1 || w >= 1 {
				continue
			}
			v := besselI0(beta*math.Sqrt(1-w*w)) / besselI0(beta)
			if x != 0 {
				v *= math.Sin(math.Pi*x) / (math.Pi * x)
			}
			taps[k] = v
			sum += v
		}
		for k, v := range taps {
			t[p][k] = float32(v / sum) // silence stays silence, and a constant the constant
		}
	}
	return t
}

// besselI0 is the modified Bessel function of the first kind, by its power series.
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= x * x / 4 / (k * k)
		sum += term
	}
	return sum
}

// NewVarispeed returns one for interleaved samples of so many channels.
func NewVarispeed(channels int) *Varispeed {
	v := &Varispeed{channels: max(channels, 1)}
	v.Reset()
	return v
}

// Reset forgets what it holds.
func (v *Varispeed) Reset() {
	v.in = append(v.in[:0], make([]float32, (varispeedTaps-1)*v.channels)...)
	v.at = 0
}

// Process takes samples and returns what plays them at a speed: about len(samples)/speed of
// them. A speed that is further from 1 than MaxVarispeed is brought to it.
// Ownership: the result is borrowed until the next call.
func (v *Varispeed) Process(samples []float32, speed float64) []float32 {
	if !(speed >= 1-MaxVarispeed) { // NaN, too
		speed = 1 - MaxVarispeed
	}
	speed = min(speed, 1+MaxVarispeed)
	ch := v.channels
	v.in = append(v.in, samples...)
	have := len(v.in)/ch - varispeedTaps + 1 // outputs at whole positions 0…have−1 can be made
	v.out = v.out[:0]
	if speed == 1 && v.at == math.Trunc(v.at) {
		if n := have - int(v.at); n > 0 { // less where the last output lay beyond what had come
			from := (int(v.at) + VarispeedDelay - 1) * ch
			v.out = append(v.out, v.in[from:from+n*ch]...)
			v.at += float64(n)
		}
	} else {
		if v.table == nil {
			v.table = newVarispeedTable()
		}
		table := v.table
		for ; v.at < float64(have); v.at += speed {
			whole := int(v.at)
			frac := (v.at - float64(whole)) * varispeedPhases
			p := int(frac)
			f := float32(frac - float64(p))
			a, b := &table[p], &table[p+1]
			var taps [varispeedTaps]float32
			for k := range taps {
				taps[k] = a[k] + f*(b[k]-a[k])
			}
			in := v.in[whole*ch : (whole+varispeedTaps)*ch]
			if ch == 2 {
				var l, r float32
				for k, c := range &taps {
					l += c * in[2*k]
					r += c * in[2*k+1]
				}
				v.out = append(v.out, l, r)
				continue
			}
			for c := range ch {
				var sum float32
				for k, t := range &taps {
					sum += t * in[k*ch+c]
				}
				v.out = append(v.out, sum)
			}
		}
		if speed == 1 {
			v.settle()
		}
	}
	used := min(int(v.at), have)
	v.in = v.in[:copy(v.in, v.in[used*ch:])]
	v.at -= float64(used)
	return v.out
}

// settle moves the position to the whole sample nearest to it once the speed is 1 again, so
// that sound is copied from then on: half a sample is 10 µs, which is no click.
func (v *Varispeed) settle() { v.at = math.Round(v.at) }
