package capsule

// ModuleInfo is what Inspect reads out of a module's sections.
type ModuleInfo struct {
	CID        CID
	Size       uint64 // bytes
	MinPages   uint32 // of 64 KiB
	MaxPages   uint32
	ABIVersion uint32 // 0 when the module does not say before it runs
}
