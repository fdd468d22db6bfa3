package credit

type closedUntil struct {
	until int64
	key   holdKey
}

// closedHeap implements heap.Interface.
type closedHeap []closedUntil

func (h closedHeap) Len() int           { return len(h) }
func (h closedHeap) Less(i, j int) bool { return h[i].until < h[j].until }
func (h closedHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *closedHeap) Push(x any)        { *h = append(*h, x.(closedUntil)) }
func (h *closedHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
