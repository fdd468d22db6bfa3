//go:build !amd64

package scheduler

const prefetches = false

func prefetchNode(*treeNode) {}

func prefetchRecord(*record, *detail) {}

func prefetchLines(*record) {}

func prefetchFacts(*facts) {}

func prefetchText(string) {}
