//go:build linux || darwin || windows

#include "textflag.h"

GLOBL ·interruptPC(SB), NOPTR|RODATA, $8
DATA ·interruptPC(SB)/8, $interrupted<>(SB)

// int interrupted(Interrupt *in), AAPCS64. It counts looks down while target is not 0,
// and writes value to what that points to at the end.
TEXT interrupted<>(SB), NOSPLIT|NOFRAME, $0
	MOVD  16(R0), R1
	CBZ   R1, done
	MOVWU 4(R0), R2
	SUBW  $1, R2, R2
	MOVW  R2, 4(R0)
	CBNZW R2, done
	MOVWU 8(R0), R2
	MOVW  R2, (R1)

done:
	MOVWU 12(R0), R1
	MOVWU (R0), R0
	ORRW  R1, R0, R0
	RET
