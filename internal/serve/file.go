package serve

import (
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// form is a file in one content coding.
type form struct {
	coding string // "" for the file as it is
	suffix string // of the file that holds it
	size   int64
}

// form returns the smallest form that accept allows. That is the file as it is when there is no
// other: such a file is too small to gain, or compressed already.
func (f *File) form(accept string) form {
	for _, c := range [2]form{{"br", ".br", f.Brotli}, {"gzip", ".gz", f.Gzip}} {
		if c.size > 0 && allows(accept, c.coding) {
			return c
		}
	}
	return form{size: f.Bytes}
}

// tag returns the entity tag of the form; each form is a representation of its own.
func (f *File) tag(in form) string {
	tag := f.SHA256[:32]
	if in.coding != "" {
		tag += "-" + in.coding
	}
	return `"` + tag + `"`
}

// open opens a form, and fails when its size is not the one at packing. The caller closes it.
func (f *File) open(dir fs.FS, in form) (io.ReadSeekCloser, error) {
	name := f.Path + in.suffix
	opened, err := dir.Open(name)
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	info, err := opened.Stat()
	if err == nil && info.Size() != in.size {
		err = fmt.Errorf("serve: %s has %d bytes and should have %d", name, info.Size(), in.size)
	}
	content, ok := opened.(io.ReadSeekCloser)
	if err == nil && !ok {
		err = fmt.Errorf("serve: %s: its file system cannot seek", name)
	}
	if err != nil {
		_ = opened.Close()
		return nil, err
	}
	return content, nil
}

// allows reports whether an Accept-Encoding lets coding be used (RFC 9110, 12.5.3). Without the
// header it does not, since such a client may know no coding at all.
func allows(accept, coding string) bool {
	wild := false
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != coding && name != "*" {
			continue
		}
		good := quality(params) > 0
		if name == coding {
			return good
		}
		wild = good
	}
	return wild
}

// quality returns the q of a list's member: 1 when absent, 0 when unreadable.
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
