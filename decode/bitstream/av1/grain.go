package av1

// FilmGrain is 5.9.30. When UpdateGrain is not set all but GrainSeed comes from an
// earlier frame.
type FilmGrain struct {
	ApplyGrain            bool
	GrainSeed             uint16
	UpdateGrain           bool
	FilmGrainParamsRefIdx uint8
	NumYPoints            uint8
	PointYValue           [14]uint8
	PointYScaling         [14]uint8
	ChromaScalingFromLuma bool
	NumCbPoints           uint8
	PointCbValue          [10]uint8
	PointCbScaling        [10]uint8
	NumCrPoints           uint8
	PointCrValue          [10]uint8
	PointCrScaling        [10]uint8
	GrainScalingMinus8    uint8
	ArCoeffLag            uint8
	ArCoeffsYPlus128      [24]uint8
	ArCoeffsCbPlus128     [25]uint8
	ArCoeffsCrPlus128     [25]uint8
	ArCoeffShiftMinus6    uint8
	GrainScaleShift       uint8
	CbMult, CbLumaMult    uint8
	CbOffset              uint16
	CrMult, CrLumaMult    uint8
	CrOffset              uint16
	OverlapFlag           bool
	ClipToRestrictedRange bool
}

func (f *Frame) parseFilmGrain(r *headerParser) {
	g := &f.FilmGrain
	if !r.seq.FilmGrainParamsPresent || !f.ShowFrame && !f.ShowableFrame {
		return
	}
	if g.ApplyGrain = r.Flag(); !g.ApplyGrain {
		return
	}
	g.GrainSeed = uint16(r.U(16))
	g.UpdateGrain = f.FrameType != InterFrame || r.Flag()
	if !g.UpdateGrain {
		f.loadGrain(r)
		return
	}
	c := &r.seq.ColorConfig
	g.NumYPoints = g.points(r, g.PointYValue[:], g.PointYScaling[:], "num_y_points")
	if !c.MonoChrome {
		g.ChromaScalingFromLuma = r.Flag()
	}
	if !c.MonoChrome && !g.ChromaScalingFromLuma && !(c.SubsamplingX && c.SubsamplingY && g.NumYPoints == 0) {
		g.NumCbPoints = g.points(r, g.PointCbValue[:], g.PointCbScaling[:], "num_cb_points")
		g.NumCrPoints = g.points(r, g.PointCrValue[:], g.PointCrScaling[:], "num_cr_points")
		if c.SubsamplingX && c.SubsamplingY && (g.NumCbPoints == 0) != (g.NumCrPoints == 0) {
			r.Fail("num_cr_points", "is 0 for one plane of chroma only")
		}
	}
	g.GrainScalingMinus8, g.ArCoeffLag = uint8(r.U(2)), uint8(r.U(2))
	luma := 2 * int(g.ArCoeffLag) * (int(g.ArCoeffLag) + 1)
	chroma := luma
	if g.NumYPoints > 0 {
		chroma++
		for i := range luma {
			g.ArCoeffsYPlus128[i] = uint8(r.U(8))
		}
	}
	if g.ChromaScalingFromLuma || g.NumCbPoints > 0 {
		for i := range chroma {
			g.ArCoeffsCbPlus128[i] = uint8(r.U(8))
		}
	}
	if g.ChromaScalingFromLuma || g.NumCrPoints > 0 {
		for i := range chroma {
			g.ArCoeffsCrPlus128[i] = uint8(r.U(8))
		}
	}
	g.ArCoeffShiftMinus6, g.GrainScaleShift = uint8(r.U(2)), uint8(r.U(2))
	if g.NumCbPoints > 0 {
		g.CbMult, g.CbLumaMult, g.CbOffset = uint8(r.U(8)), uint8(r.U(8)), uint16(r.U(9))
	}
	if g.NumCrPoints > 0 {
		g.CrMult, g.CrLumaMult, g.CrOffset = uint8(r.U(8)), uint8(r.U(8)), uint16(r.U(9))
	}
	g.OverlapFlag, g.ClipToRestrictedRange = r.Flag(), r.Flag()
}

// points reads the points of a scaling function, which must rise.
func (g *FilmGrain) points(r *headerParser, value, scaling []uint8, field string) uint8 {
	n := int(r.U(4))
	if n > len(value) {
		r.Fail(field, "is out of range")
		return 0
	}
	for i := range n {
		value[i], scaling[i] = uint8(r.U(8)), uint8(r.U(8))
		if i > 0 && value[i] <= value[i-1] {
			r.Fail(field, "has points that do not rise")
		}
	}
	return uint8(n)
}

// loadGrain is load_grain_params, with a seed of its own.
func (f *Frame) loadGrain(r *headerParser) {
	g := &f.FilmGrain
	seed, at := g.GrainSeed, uint8(r.U(3))
	named := false
	for _, idx := range f.RefFrameIdx {
		named = named || idx == at
	}
	if !named || !r.refs[at].valid {
		r.Fail("film_grain_params_ref_idx", "names no reference frame")
		return
	}
	// Where that frame was without grain this one has grain of no strength.
	*g = r.refs[at].grain
	g.ApplyGrain, g.GrainSeed, g.UpdateGrain, g.FilmGrainParamsRefIdx = true, seed, false, at
}
