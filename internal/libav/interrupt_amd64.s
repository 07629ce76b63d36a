//go:build linux || darwin || windows

#include "textflag.h"

GLOBL ·interruptPC(SB), NOPTR|RODATA, $8
DATA ·interruptPC(SB)/8, $interrupted<>(SB)

// int interrupted(Interrupt *in): System V passes it in DI, Windows in CX. It counts looks
// down while target is not 0, and writes value to what that points to at the end.
TEXT interrupted<>(SB), NOSPLIT|NOFRAME, $0
#ifdef GOOS_windows
	MOVQ CX, AX
#else
	MOVQ DI, AX
#endif
	MOVQ  16(AX), DX
	TESTQ DX, DX
	JZ    done
	DECL  4(AX)
	JNZ   done
	MOVL  8(AX), CX
	MOVL  CX, (DX)

done:
	MOVL 12(AX), DX
	MOVL (AX), AX
	ORL  DX, AX
	RET
