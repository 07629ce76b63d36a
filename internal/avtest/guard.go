package avtest

// Guard is memory between two pages that cannot be touched: a kernel that reads or
// writes one byte too far ends the test with a fault at the very instruction.
// Ownership: unmapped when the test ends.
type Guard struct {
	mem []byte // the accessible pages
}

// Len returns how many bytes lie between the guards.
func (g *Guard) Len() int { return len(g.mem) }

// AtEnd returns the n bytes that end where the upper guard begins.
func (g *Guard) AtEnd(n int) []byte { return g.mem[len(g.mem)-n:] }

// AtStart returns the n bytes that begin where the lower guard ends.
func (g *Guard) AtStart(n int) []byte { return g.mem[:n:n] }
