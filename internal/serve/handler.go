package serve

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"time"

	"inos/internal/console"
)

// Boot is what a page needs to start a kernel and join the mesh.
type Boot struct {
	Name      string   // name of the kernel; empty means the shell's own choice
	Bootstrap []string // multiaddrs with certificate hashes; they change as certificates rotate
}

// Handler serves one packed shell. It is safe for concurrent use.
type Handler struct {
	dir   fs.FS
	build Build
	boot  func() Boot
	files map[string]*File // by URL path
}

// New serves the packed shell in dir, which must not change afterwards. boot is
// called for every request of /inos.json and must not block. Errors match
// ErrNotPacked.
func New(dir fs.FS, boot func() Boot) (*Handler, error) {
	build, err := ReadBuild(dir)
	if err != nil {
		return nil, err
	}
	h := &Handler{dir: dir, build: build, boot: boot, files: make(map[string]*File, len(build.Files)+1)}
	for i := range build.Files {
		f := &build.Files[i]
		h.files["/"+f.Path] = f
	}
	if index, ok := h.files["/index.html"]; ok {
		h.files["/"] = index
	}
	return h, nil
}

// Build lists what h serves.
func (h *Handler) Build() Build { return h.build }

// isolation makes the page cross-origin isolated, which gives it shared memory, and allows
// scripts from here only. Connections may go anywhere, since a mesh node may be anywhere.
var isolation = map[string]string{
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
	"Cross-Origin-Resource-Policy": "same-origin",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; " +
		"style-src 'self'; img-src 'self' data:; connect-src 'self' https:; worker-src 'self'; " +
		"object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}

// ServeHTTP answers GET and HEAD for the package's files and /inos.json.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range isolation {
		w.Header().Set(name, value)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "serve: only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/inos.json" {
		h.serveBoot(w, r)
		return
	}
	f, ok := h.files[r.URL.Path]
	if !ok {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "serve: no such file", http.StatusNotFound)
		return
	}
	h.serveFile(w, r, f)
}

// serveBoot writes /inos.json. Its URLs are relative to it.
func (h *Handler) serveBoot(w http.ResponseWriter, r *http.Request) {
	boot := h.boot()
	doc := console.BootConfig{Name: boot.Name, Kernel: h.build.Kernel.Path, Bootstrap: boot.Bootstrap, Capsules: []console.BootCapsule{}}
	if doc.Bootstrap == nil {
		doc.Bootstrap = []string{}
	}
	for _, c := range h.build.Capsules {
		doc.Capsules = append(doc.Capsules, console.BootCapsule{Name: c.Name, URL: c.Path, CID: c.CID, Bytes: uint64(c.Bytes)})
	}
	body, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		http.Error(w, "serve: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the client may have left
	}
}

func (h *Handler) serveFile(w http.ResponseWriter, r *http.Request, f *File) {
	header := w.Header()
	header.Set("Content-Type", contentType(f.Path))
	header.Set("Vary", "Accept-Encoding")
	if f.Immutable {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	in := f.form(r.Header.Get("Accept-Encoding"))
	content, err := f.open(h.dir, in)
	if err != nil {
		header.Set("Cache-Control", "no-store")
		http.Error(w, "serve: the file cannot be read", http.StatusInternalServerError)
		return
	}
	defer content.Close()
	header.Set("ETag", f.tag(in))
	if in.coding != "" {
		header.Set("Content-Encoding", in.coding)
		header.Set("Content-Length", strconv.FormatInt(in.size, 10)) // ServeContent does not set it for a coding
	}
	http.ServeContent(w, r, "", time.Time{}, content) // ranges, HEAD and conditions
}

// contentType decides by extension only. The system's table differs from machine to machine, and
// browsers refuse to stream modules of another type.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json":
		return "application/json"
	case ".wasm":
		return "application/wasm"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
