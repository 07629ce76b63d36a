package yuv

// constVectors is 0 where there are no kernels.
const constVectors = 0

func hasVariant(Variant) bool { return false }

func vectorSteps(*Converter) []step { return nil }

func storeFence() {}
