//go:build linux || darwin || windows

#include "textflag.h"

GLOBL ·interruptPC(SB), NOPTR|RODATA, $8
DATA ·interruptPC(SB)/8, $interrupted<>(SB)

// int interrupted(void *flag): System V passes it in DI, Windows in CX.
TEXT interrupted<>(SB), NOSPLIT|NOFRAME, $0
#ifdef GOOS_windows
	MOVL (CX), AX
#else
	MOVL (DI), AX
#endif
	RET
