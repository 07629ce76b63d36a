//go:build linux || freebsd || netbsd || openbsd || dragonfly

#include "textflag.h"

GLOBL ·dispatchPC(SB), NOPTR|RODATA, $8
DATA ·dispatchPC(SB)/8, $dispatch<>(SB)

// int dispatch(const void *inbox, void *target, uint32_t opcode, const struct wl_message *,
// union wl_argument *args), System V ABI. Runs on whatever stack libwayland dispatches on
// and never enters the Go runtime. args has room for 20; 7 are kept.
TEXT dispatch<>(SB), NOSPLIT|NOFRAME, $0
	MOVL  0(DI), AX
	CMPL  AX, $128           // inboxSize
	JCC   full
	IMUL3Q $72, AX, R9       // the size of an event
	LEAQ  16(DI)(R9*1), R9
	MOVQ  SI, 0(R9)
	MOVL  DX, DX
	MOVQ  DX, 8(R9)
	MOVQ  0(R8), CX
	MOVQ  CX, 16(R9)
	MOVQ  8(R8), CX
	MOVQ  CX, 24(R9)
	MOVQ  16(R8), CX
	MOVQ  CX, 32(R9)
	MOVQ  24(R8), CX
	MOVQ  CX, 40(R9)
	MOVQ  32(R8), CX
	MOVQ  CX, 48(R9)
	MOVQ  40(R8), CX
	MOVQ  CX, 56(R9)
	MOVQ  48(R8), CX
	MOVQ  CX, 64(R9)
	INCL  0(DI)
	XORL  AX, AX
	RET

full:
	INCL  4(DI)
	XORL  AX, AX
	RET
