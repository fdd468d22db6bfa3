package serve

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
)

// coding is an HTTP content coding.
type coding string

const (
	identity coding = ""
	brotli   coding = "br"
	zip      coding = "gzip"
)

func (c coding) suffix() string {
	if c == identity {
		return ""
	}
	return "-" + string(c)
}

// file is one file of the package. Its gzip form, for the rare client without
// brotli, is made at the first request for it and kept.
type file struct {
	File
	contentType string

	zipOnce sync.Once
	zipped  []byte
	zipErr  error
}

// coding picks the smallest form that accept allows.
func (f *file) coding(accept string) coding {
	if f.Brotli == 0 { // too small to gain, or compressed already
		return identity
	}
	if allows(accept, brotli) {
		return brotli
	}
	if allows(accept, zip) {
		return zip
	}
	return identity
}

// allows reports whether an Accept-Encoding lets c be used (RFC 9110, 12.5.3).
// Without any it does not: such a client may know no coding at all.
func allows(accept string, c coding) bool {
	wild := false
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != string(c) && name != "*" {
			continue
		}
		good := quality(params) > 0
		if name == string(c) {
			return good
		}
		wild = good
	}
	return wild
}

// quality is the q of a list's member; absent means 1, unreadable 0.
func quality(params string) float64 {
	key, value, ok := strings.Cut(strings.TrimSpace(params), "=")
	if !ok || strings.TrimSpace(key) != "q" {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 0
	}
	return q
}

// open returns the file's bytes in coding c and their number. The caller closes
// them.
func (f *file) open(dir fs.FS, c coding) (io.ReadCloser, int64, error) {
	switch c {
	case brotli:
		return openSized(dir, f.Path+".br", f.Brotli)
	case zip:
		f.zipOnce.Do(func() { f.zipped, f.zipErr = gzipped(dir, f.Path) })
		if f.zipErr != nil {
			return nil, 0, f.zipErr
		}
		return io.NopCloser(bytes.NewReader(f.zipped)), int64(len(f.zipped)), nil
	}
	return openSized(dir, f.Path, f.Bytes)
}

// openSized opens a file that must have size bytes, as it had when it was
// packed.
func openSized(dir fs.FS, name string, size int64) (io.ReadCloser, int64, error) {
	opened, err := dir.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("serve: %w", err)
	}
	info, err := opened.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("serve: %s has %d bytes and should have %d", name, info.Size(), size)
	}
	if err != nil {
		_ = opened.Close()
		return nil, 0, err
	}
	return opened, size, nil
}

func gzipped(dir fs.FS, name string) ([]byte, error) {
	raw, err := fs.ReadFile(dir, name)
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(raw); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	return out.Bytes(), nil
}
