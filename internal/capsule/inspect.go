package capsule

import "fmt"

// ModuleInfo is what Inspect reads out of a module's sections.
type ModuleInfo struct {
	CID        CID
	Size       uint64 // bytes
	MinPages   uint32 // of 64 KiB
	MaxPages   uint32
	ABIVersion uint32 // 0 when the module does not say before it runs
}

// Names a capsule is known by.
const (
	importModule  = "env"
	importMemory  = "memory"
	exportControl = "inos_control"
	exportRun     = "inos_run"
	sectionABI    = "inos.abi" // custom section: the ABI version as a little-endian u32
)

// Inspect reads just enough of a module to say whether it can be a capsule. It
// neither compiles nor keeps wasm, and reads any bytes without panicking in
// time linear in their number. Errors match ErrNotWasm, ErrUnknownImport,
// ErrNoSharedMemory, ErrNoControlBlock, ErrNoRun or ErrABIVersion; all final.
func Inspect(wasm []byte) (ModuleInfo, error) {
	m, err := parseModule(wasm)
	if err != nil {
		return ModuleInfo{}, err
	}
	if m.unknownImport != "" {
		return ModuleInfo{}, fmt.Errorf("%w: %s", ErrUnknownImport, m.unknownImport)
	}
	switch {
	case !m.hasMemory && m.ownMemory:
		return ModuleInfo{}, fmt.Errorf("%w: it defines a memory of its own", ErrNoSharedMemory)
	case !m.hasMemory:
		return ModuleInfo{}, fmt.Errorf("%w: there is no import env.memory", ErrNoSharedMemory)
	case m.memory.flags&limitShared == 0:
		return ModuleInfo{}, fmt.Errorf("%w: env.memory is not shared", ErrNoSharedMemory)
	case m.memory.flags&limitMax == 0 || m.memory.max < m.memory.min || m.memory.max > maxPages:
		return ModuleInfo{}, fmt.Errorf("%w: env.memory has %d to %d pages", ErrNoSharedMemory, m.memory.min, m.memory.max)
	}
	if kind, ok := m.exports[exportControl]; !ok {
		return ModuleInfo{}, fmt.Errorf("%w: there is no export %s", ErrNoControlBlock, exportControl)
	} else if kind != externGlobal {
		return ModuleInfo{}, fmt.Errorf("%w: export %s is a %s, not a global", ErrNoControlBlock, exportControl, externName(kind))
	}
	if kind, ok := m.exports[exportRun]; !ok {
		return ModuleInfo{}, ErrNoRun
	} else if kind != externFunc {
		return ModuleInfo{}, fmt.Errorf("%w: it is a %s, not a function", ErrNoRun, externName(kind))
	}
	if m.abi != 0 && m.abi != ABIVersion {
		return ModuleInfo{}, &ABIError{Capsule: m.abi, Host: ABIVersion}
	}
	return ModuleInfo{
		CID:        SumCID(wasm),
		Size:       uint64(len(wasm)),
		MinPages:   m.memory.min,
		MaxPages:   m.memory.max,
		ABIVersion: m.abi,
	}, nil
}
