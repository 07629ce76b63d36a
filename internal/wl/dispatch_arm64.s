//go:build linux || freebsd || netbsd || openbsd || dragonfly

#include "textflag.h"

GLOBL ·dispatchPC(SB), NOPTR|RODATA, $8
DATA ·dispatchPC(SB)/8, $dispatch<>(SB)

// int dispatch(const void *inbox, void *target, uint32_t opcode, const struct wl_message *,
// union wl_argument *args), AAPCS64; see dispatch_amd64.s. Uses R0 to R11 only, which a
// callee may change.
TEXT dispatch<>(SB), NOSPLIT|NOFRAME, $0
	MOVWU (R0), R5
	CMPW  $128, R5           // inboxSize
	BHS   full
	MOVD  $72, R6            // the size of an event
	MUL   R5, R6, R7
	ADD   $16, R7
	ADD   R0, R7
	MOVD  R1, (R7)
	MOVWU R2, R2
	MOVD  R2, 8(R7)
	MOVD  0(R4), R8
	MOVD  R8, 16(R7)
	MOVD  8(R4), R8
	MOVD  R8, 24(R7)
	MOVD  16(R4), R8
	MOVD  R8, 32(R7)
	MOVD  24(R4), R8
	MOVD  R8, 40(R7)
	MOVD  32(R4), R8
	MOVD  R8, 48(R7)
	MOVD  40(R4), R8
	MOVD  R8, 56(R7)
	MOVD  48(R4), R8
	MOVD  R8, 64(R7)
	ADDW  $1, R5
	MOVW  R5, (R0)
	MOVD  ZR, R0
	RET

full:
	MOVWU 4(R0), R5
	ADDW  $1, R5
	MOVW  R5, 4(R0)
	MOVD  ZR, R0
	RET
