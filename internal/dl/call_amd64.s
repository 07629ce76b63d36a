//go:build (linux || darwin) && !scanout_purego

#include "textflag.h"

GLOBL ·callABI0(SB), NOPTR|RODATA, $8
DATA ·callABI0(SB)/8, $trampoline(SB)

// trampoline calls a C function with up to 14 integer arguments.
// In: DI points to a Caller {fn, ret, a[14]}. Runs on the system stack, System V ABI.
TEXT trampoline(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	PUSHQ BP
	MOVQ  SP, BP
	PUSHQ BX
	SUBQ  $72, SP           // 8 stack arguments and 8 to keep 16-byte alignment
	MOVQ  DI, BX
	MOVQ  (16+6*8)(BX), AX
	MOVQ  AX, 0(SP)
	MOVQ  (16+7*8)(BX), AX
	MOVQ  AX, 8(SP)
	MOVQ  (16+8*8)(BX), AX
	MOVQ  AX, 16(SP)
	MOVQ  (16+9*8)(BX), AX
	MOVQ  AX, 24(SP)
	MOVQ  (16+10*8)(BX), AX
	MOVQ  AX, 32(SP)
	MOVQ  (16+11*8)(BX), AX
	MOVQ  AX, 40(SP)
	MOVQ  (16+12*8)(BX), AX
	MOVQ  AX, 48(SP)
	MOVQ  (16+13*8)(BX), AX
	MOVQ  AX, 56(SP)
	MOVQ  (16+0*8)(BX), DI
	MOVQ  (16+1*8)(BX), SI
	MOVQ  (16+2*8)(BX), DX
	MOVQ  (16+3*8)(BX), CX
	MOVQ  (16+4*8)(BX), R8
	MOVQ  (16+5*8)(BX), R9
	XORL  AX, AX            // no vector registers carry arguments of a variadic callee
	MOVQ  0(BX), R10
	CALL  R10
	MOVQ  AX, 8(BX)
	ADDQ  $72, SP
	POPQ  BX
	POPQ  BP
	RET
