package h265

import "github.com/scanout-av/scanout/decode/bitstream"

// ScalingLists are the scaling factors in effect, in up-right diagonal order: lists that
// were predicted or left to their default are filled in.
// Source: 7.3.4, 7.4.5.
type ScalingLists struct {
	ScalingList4x4         [6][16]uint8
	ScalingList8x8         [6][64]uint8
	ScalingList16x16       [6][64]uint8
	ScalingList32x32       [6][64]uint8 // 0 and 3 for 4:2:0 and 4:2:2; all for 4:4:4
	ScalingListDCCoef16x16 [6]uint8
	ScalingListDCCoef32x32 [6]uint8
}

// default8x8 is table 7-6, intra and inter.
var default8x8 = [2][64]uint8{
	{
		16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 17, 16, 17, 16, 17, 18,
		17, 18, 18, 17, 18, 21, 19, 20, 21, 20, 19, 21, 24, 22, 22, 24,
		24, 22, 22, 24, 25, 25, 27, 30, 27, 25, 25, 29, 31, 35, 35, 31,
		29, 36, 41, 44, 41, 36, 47, 54, 54, 47, 65, 70, 65, 88, 88, 115,
	},
	{
		16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 17, 17, 17, 17, 17, 18,
		18, 18, 18, 18, 18, 20, 20, 20, 20, 20, 20, 20, 24, 24, 24, 24,
		24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25, 28, 28, 28, 28, 28,
		28, 33, 33, 33, 33, 33, 41, 41, 41, 41, 54, 54, 54, 71, 71, 91,
	},
}

// list returns the coefficients of a matrix and its DC, which 4x4 and 8x8 lack.
func (l *ScalingLists) list(sizeID, matrixID int) (coef []uint8, dc *uint8) {
	switch sizeID {
	case 0:
		return l.ScalingList4x4[matrixID][:], nil
	case 1:
		return l.ScalingList8x8[matrixID][:], nil
	case 2:
		return l.ScalingList16x16[matrixID][:], &l.ScalingListDCCoef16x16[matrixID]
	}
	return l.ScalingList32x32[matrixID][:], &l.ScalingListDCCoef32x32[matrixID]
}

func (l *ScalingLists) setDefault(sizeID, matrixID int) {
	coef, dc := l.list(sizeID, matrixID)
	if sizeID == 0 {
		for i := range coef {
			coef[i] = 16
		}
		return
	}
	copy(coef, default8x8[matrixID/3][:])
	if dc != nil {
		*dc = 16
	}
}

// SetDefault fills all lists with their defaults: those in effect when scaling lists are
// enabled and none is transmitted.
func (l *ScalingLists) SetDefault() {
	for size := range 4 {
		for matrix := range 6 {
			l.setDefault(size, matrix)
		}
	}
}

func (l *ScalingLists) parse(r *bitstream.Reader, chromaFormat uint8) {
	l.SetDefault()
	for size := range 4 {
		step := 1
		if size == 3 {
			step = 3
		}
		for matrix := 0; matrix < 6; matrix += step {
			coef, dc := l.list(size, matrix)
			if !r.Flag() { // scaling_list_pred_mode_flag
				delta := int(r.UEMax(uint32(matrix/step), "scaling_list_pred_matrix_id_delta")) * step
				if delta == 0 {
					l.setDefault(size, matrix)
					continue
				}
				from, fromDC := l.list(size, matrix-delta)
				copy(coef, from)
				if dc != nil {
					*dc = *fromDC
				}
				continue
			}
			next := int32(8)
			if dc != nil {
				next = r.SERange(-7, 247, "scaling_list_dc_coef_minus8") + 8
				*dc = uint8(next)
			}
			for i := range coef {
				next = (next + r.SERange(-128, 127, "scaling_list_delta_coef") + 256) & 255
				coef[i] = uint8(next)
			}
		}
	}
	if chromaFormat == 3 { // the chroma lists of 32x32 are those of 16x16
		for _, m := range []int{1, 2, 4, 5} {
			l.ScalingList32x32[m] = l.ScalingList16x16[m]
			l.ScalingListDCCoef32x32[m] = l.ScalingListDCCoef16x16[m]
		}
	}
}
