package scheduler

// Hints to the processor; see Index.prefetch.

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
