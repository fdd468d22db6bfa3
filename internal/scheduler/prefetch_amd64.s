#include "textflag.h"

// func prefetchNode(n *treeNode)
TEXT ·prefetchNode(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 128(AX)
	PREFETCHT0 192(AX)
	PREFETCHT0 256(AX)
	PREFETCHT0 320(AX)
	PREFETCHT0 384(AX)
	RET

// func prefetchRecord(r *record, d *detail)
TEXT ·prefetchRecord(SB), NOSPLIT, $0-16
	MOVQ r+0(FP), AX
	MOVQ d+8(FP), BX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 (BX)
	RET

// func prefetchText(s string)
TEXT ·prefetchText(SB), NOSPLIT, $0-16
	MOVQ s_base+0(FP), AX
	PREFETCHT0 (AX)
	RET

// func prefetchFacts(f *facts)
TEXT ·prefetchFacts(SB), NOSPLIT, $0-8
	MOVQ f+0(FP), AX
	PREFETCHT0 (AX)
	RET

// func prefetchLines(r *record)
TEXT ·prefetchLines(SB), NOSPLIT, $0-8
	MOVQ r+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	RET
