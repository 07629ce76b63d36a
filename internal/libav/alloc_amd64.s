//go:build (linux || darwin) && !scanout_purego

#include "textflag.h"

GLOBL ·fastGetBuffer(SB), NOPTR|RODATA, $8
DATA ·fastGetBuffer(SB)/8, $getBuffer2<>(SB)

// int getBuffer2(AVCodecContext *ctx, AVFrame *frame, int flags), System V ABI.
// Runs on FFmpeg's own threads and stacks and never enters the Go runtime. A picture of
// the current layout gets a buffer of the AVBufferPool; anything else (no layout, another
// format or size, no free slot) continues in the Go callback with the same arguments.
// Offsets: hook… and layout… in alloc.go; AVCodecContext.opaque 48, AVFrame data 0,
// linesize 64, extended_data 96, width 104, height 108, format 116, AVBufferRef.data 8
// are the same in every version (TestTableComplete).
TEXT getBuffer2<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ  48(DI), AX         // hook
	MOVQ  0(AX), R8          // layout
	TESTQ R8, R8
	JEQ   slow
	MOVL  116(SI), CX
	CMPL  CX, 0(R8)
	JNE   slow
	MOVL  104(SI), CX
	CMPL  CX, 4(R8)
	JNE   slow
	MOVL  108(SI), CX
	CMPL  CX, 8(R8)
	JNE   slow

	SUBQ  $40, SP            // keeps the stack 16-byte aligned at the call
	MOVQ  R8, 0(SP)
	MOVQ  SI, 8(SP)
	MOVQ  DI, 16(SP)
	MOVQ  DX, 24(SP)
	MOVQ  8(AX), DI
	MOVQ  16(AX), AX
	CALL  AX                 // av_buffer_pool_get(pool)
	MOVQ  0(SP), R8
	MOVQ  8(SP), SI
	MOVQ  16(SP), DI
	MOVQ  24(SP), DX
	ADDQ  $40, SP
	MOVQ  48(DI), R9
	TESTQ AX, AX
	JEQ   empty

	MOVQ  32(R9), CX
	MOVQ  AX, (SI)(CX*1)     // frame->buf[0]
	MOVQ  8(AX), DX          // its data
	MOVQ  16(R8), CX
	ADDQ  DX, CX
	MOVQ  CX, 0(SI)          // data[0]
	CMPL  52(R8), $0         // a plane without a stride is not there
	JEQ   strides
	MOVQ  24(R8), CX
	ADDQ  DX, CX
	MOVQ  CX, 8(SI)
	CMPL  56(R8), $0
	JEQ   strides
	MOVQ  32(R8), CX
	ADDQ  DX, CX
	MOVQ  CX, 16(SI)
	CMPL  60(R8), $0
	JEQ   strides
	MOVQ  40(R8), CX
	ADDQ  DX, CX
	MOVQ  CX, 24(SI)

strides:
	MOVQ  48(R8), CX
	MOVQ  CX, 64(SI)         // linesize[0..1]
	MOVQ  56(R8), CX
	MOVQ  CX, 72(SI)         // linesize[2..3]
	MOVQ  SI, 96(SI)         // extended_data = data
	LOCK
	INCQ  40(R9)
	XORL  AX, AX
	RET

empty:
	MOVQ  R9, AX

slow:
	MOVQ  24(AX), AX
	JMP   AX
