//go:build !unix

package wazero

// reserve takes zeros from the Go heap. Large blocks come straight from the
// system, which backs them as they are touched.
func reserve(bytes uint64) ([]byte, error) {
	reserved.Add(int64(bytes))
	return make([]byte, bytes), nil
}

func unreserve(b []byte) { reserved.Add(-int64(len(b))) }
