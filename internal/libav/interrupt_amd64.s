//go:build linux || darwin || windows

#include "textflag.h"

GLOBL ·interruptPC(SB), NOPTR|RODATA, $8
DATA ·interruptPC(SB)/8, $interrupted<>(SB)

// int interrupted(Interrupt *in): System V passes it in DI, Windows in CX. It counts looks
// down while persistent is not 0, and writes 0 to what that points to at the end.
TEXT interrupted<>(SB), NOSPLIT|NOFRAME, $0
#ifdef GOOS_windows
	MOVQ CX, AX
#else
	MOVQ DI, AX
#endif
	MOVQ  8(AX), DX
	TESTQ DX, DX
	JZ    done
	DECL  4(AX)
	JNZ   done
	MOVL  $0, (DX)

done:
	MOVL (AX), AX
	RET
