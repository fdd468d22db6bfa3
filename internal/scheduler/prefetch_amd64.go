package scheduler

// Hints to the processor; see foresee.

const prefetches = true

//go:noescape
func prefetchNode(n *treeNode)

//go:noescape
func prefetchRecord(r *record, d *detail)

//go:noescape
func prefetchLines(r *record)

//go:noescape
func prefetchFacts(f *facts)

//go:noescape
func prefetchText(s string)
