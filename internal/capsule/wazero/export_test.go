package wazero

// Reserved is how many bytes of memories have not been let go.
func Reserved() int64 { return reserved.Load() }
