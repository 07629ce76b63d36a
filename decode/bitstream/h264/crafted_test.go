package h264

// crafted are streams that no encoder at hand makes.
func crafted() [][]byte { return nil }
