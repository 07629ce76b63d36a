//go:build linux || darwin || windows

#include "textflag.h"

GLOBL ·interruptPC(SB), NOPTR|RODATA, $8
DATA ·interruptPC(SB)/8, $interrupted<>(SB)

// int interrupted(void *flag), AAPCS64.
TEXT interrupted<>(SB), NOSPLIT|NOFRAME, $0
	MOVWU (R0), R0
	RET
