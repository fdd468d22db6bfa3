package serve

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"inos/internal/console"
)

var wasm = append([]byte("\x00asm\x01\x00\x00\x00"), bytes.Repeat([]byte("kernel "), 100)...)

// packed is a small package as scripts/pack.mjs lays it out. The .br files hold a marker, since
// serve sends them unchanged.
func packed(t *testing.T) fstest.MapFS {
	t.Helper()
	dir := fstest.MapFS{"secret.txt": {Data: []byte("not in build.json")}}
	var build Build
	add := func(path string, data, br []byte, immutable bool) {
		sum := sha256.Sum256(data)
		dir[path] = &fstest.MapFile{Data: data}
		var gz []byte
		if br != nil {
			gz = gzipped(t, data)
			dir[path+".br"], dir[path+".gz"] = &fstest.MapFile{Data: br}, &fstest.MapFile{Data: gz}
		}
		build.Files = append(build.Files, File{
			Path: path, Bytes: int64(len(data)), Brotli: int64(len(br)), Gzip: int64(len(gz)),
			SHA256: hex.EncodeToString(sum[:]), Immutable: immutable,
		})
	}
	add("index.html", []byte("<!doctype html><title>shell</title>"), nil, false)
	add("kernel.0123456789abcdef.wasm", wasm, []byte("brotli of the kernel"), true)
	add("capsules/hash.00.wasm", wasm[:8], nil, true)
	build.Kernel = Artifact{Path: "kernel.0123456789abcdef.wasm", Bytes: int64(len(wasm))}
	build.Capsules = []Artifact{{Name: "hash", Path: "capsules/hash.00.wasm", CID: "bafk", Bytes: 8}}
	text, err := json.Marshal(build)
	require.NoError(t, err)
	dir[buildFile] = &fstest.MapFile{Data: text}
	return dir
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func newHandler(t *testing.T, boot func() Boot) *Handler {
	t.Helper()
	if boot == nil {
		boot = func() Boot { return Boot{} }
	}
	h, err := New(packed(t), boot)
	require.NoError(t, err)
	return h
}

func ask(h http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "http://shell.test/", nil)
	r.URL.Path = path // as it is: NewRequest would refuse some of these
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) []byte {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return body
}

func TestEveryAnswerIsIsolated(t *testing.T) {
	h := newHandler(t, nil)
	for _, path := range []string{"/", "/kernel.0123456789abcdef.wasm", "/inos.json", "/nowhere"} {
		r := ask(h, "GET", path)
		require.Equal(t, "same-origin", r.Header.Get("Cross-Origin-Opener-Policy"), path)
		require.Equal(t, "require-corp", r.Header.Get("Cross-Origin-Embedder-Policy"), path)
		require.Equal(t, "same-origin", r.Header.Get("Cross-Origin-Resource-Policy"), path)
		require.Contains(t, r.Header.Get("Content-Security-Policy"), "'wasm-unsafe-eval'", path)
	}
}

func TestCoding(t *testing.T) {
	h := newHandler(t, nil)
	unzip := func(b []byte) []byte {
		z, err := gzip.NewReader(bytes.NewReader(b))
		require.NoError(t, err)
		raw, err := io.ReadAll(z)
		require.NoError(t, err)
		return raw
	}
	for _, c := range []struct{ accept, coding string }{
		{"gzip, deflate, br, zstd", "br"},
		{"br", "br"},
		{"BR", "br"},
		{"*", "br"},
		{"gzip", "gzip"},
		{"br;q=0, gzip", "gzip"},
		{"br;q=0, *", "gzip"},
		{"br;q=oops, gzip;q=0.5", "gzip"},
		{"identity", ""},
		{"gzip;q=0", ""},
		{"", ""},
	} {
		r := ask(h, "GET", "/kernel.0123456789abcdef.wasm", "Accept-Encoding", c.accept)
		body := bodyOf(t, r)
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, c.coding, r.Header.Get("Content-Encoding"), c.accept)
		require.Equal(t, "application/wasm", r.Header.Get("Content-Type"))
		require.Equal(t, "Accept-Encoding", r.Header.Get("Vary"))
		require.EqualValues(t, len(body), r.ContentLength)
		switch c.coding {
		case "br":
			require.Equal(t, "brotli of the kernel", string(body))
		case "gzip":
			require.Equal(t, wasm, unzip(body))
		default:
			require.Equal(t, wasm, body)
		}
	}
}

func TestCaching(t *testing.T) {
	h := newHandler(t, nil)
	kernel := ask(h, "GET", "/kernel.0123456789abcdef.wasm", "Accept-Encoding", "br")
	require.Contains(t, kernel.Header.Get("Cache-Control"), "immutable")
	index := ask(h, "GET", "/")
	require.Equal(t, "no-cache", index.Header.Get("Cache-Control"))
	require.Equal(t, index.Header.Get("ETag"), ask(h, "GET", "/index.html").Header.Get("ETag"))
	require.Equal(t, "no-store", ask(h, "GET", "/inos.json").Header.Get("Cache-Control"))

	tag := kernel.Header.Get("ETag")
	require.NotEqual(t, tag, ask(h, "GET", "/kernel.0123456789abcdef.wasm").Header.Get("ETag"),
		"another coding is another representation")
	for _, condition := range []string{tag, `"x", ` + tag, "W/" + tag, "*"} {
		r := ask(h, "GET", "/kernel.0123456789abcdef.wasm", "Accept-Encoding", "br", "If-None-Match", condition)
		require.Equal(t, http.StatusNotModified, r.StatusCode, condition)
		require.Empty(t, bodyOf(t, r))
	}
	r := ask(h, "GET", "/kernel.0123456789abcdef.wasm", "Accept-Encoding", "br", "If-None-Match", `"other"`)
	require.Equal(t, http.StatusOK, r.StatusCode)
}

// A range counts bytes in the answer's content coding, so a client can continue as long as the
// tag is the same.
func TestRanges(t *testing.T) {
	h := newHandler(t, nil)
	const kernel = "/kernel.0123456789abcdef.wasm"
	for _, c := range []struct {
		accept string
		whole  []byte
	}{{"", wasm}, {"br", []byte("brotli of the kernel")}, {"gzip", gzipped(t, wasm)}} {
		whole := ask(h, "GET", kernel, "Accept-Encoding", c.accept)
		require.Equal(t, "bytes", whole.Header.Get("Accept-Ranges"))
		r := ask(h, "GET", kernel, "Accept-Encoding", c.accept, "Range", "bytes=4-7", "If-Range", whole.Header.Get("ETag"))
		require.Equal(t, http.StatusPartialContent, r.StatusCode)
		require.Equal(t, c.whole[4:8], bodyOf(t, r))
		require.EqualValues(t, 4, r.ContentLength)
		require.Equal(t, fmt.Sprintf("bytes 4-7/%d", len(c.whole)), r.Header.Get("Content-Range"))
		require.Equal(t, c.accept, r.Header.Get("Content-Encoding"))
		require.Equal(t, whole.Header.Get("ETag"), r.Header.Get("ETag"))
		require.Equal(t, "same-origin", r.Header.Get("Cross-Origin-Opener-Policy"))

		r = ask(h, "GET", kernel, "Accept-Encoding", c.accept, "Range", "bytes=4-7", "If-Range", `"of another build"`)
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, c.whole, bodyOf(t, r))
		r = ask(h, "HEAD", kernel, "Accept-Encoding", c.accept)
		require.EqualValues(t, len(c.whole), r.ContentLength)
	}
	r := ask(h, "GET", kernel, "Range", "bytes=5000-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, r.StatusCode)
	require.Equal(t, fmt.Sprintf("bytes */%d", len(wasm)), r.Header.Get("Content-Range"))
}

func TestHeadAndMethods(t *testing.T) {
	h := newHandler(t, nil)
	for _, path := range []string{"/", "/inos.json", "/kernel.0123456789abcdef.wasm"} {
		r := ask(h, "HEAD", path)
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Positive(t, r.ContentLength)
		require.Empty(t, bodyOf(t, r))
	}
	r := ask(h, "POST", "/")
	require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
	require.Equal(t, "GET, HEAD", r.Header.Get("Allow"))
}

func TestNothingElseIsServed(t *testing.T) {
	h := newHandler(t, nil)
	for _, path := range []string{
		"/secret.txt", "/build.json", "/kernel.0123456789abcdef.wasm.br", "/kernel.0123456789abcdef.wasm.gz", "/capsules", "/capsules/",
		"/../handler.go", "/capsules/../secret.txt", "//index.html", "/./index.html", "/..%2fsecret.txt", "index.html", "",
	} {
		require.Equal(t, http.StatusNotFound, ask(h, "GET", path).StatusCode, path)
	}
}

func TestBootFollowsTheCallback(t *testing.T) {
	addrs := []string{"/ip4/127.0.0.1/udp/1/quic-v1/webtransport/certhash/a/p2p/b"}
	h := newHandler(t, func() Boot { return Boot{Name: "tab", Bootstrap: addrs} })
	read := func() (doc console.BootConfig) {
		require.NoError(t, json.Unmarshal(bodyOf(t, ask(h, "GET", "/inos.json")), &doc))
		return doc
	}
	doc := read()
	require.Equal(t, "tab", doc.Name)
	require.Equal(t, "kernel.0123456789abcdef.wasm", doc.Kernel)
	require.Equal(t, addrs, doc.Bootstrap)
	require.Equal(t, []console.BootCapsule{{Name: "hash", URL: "capsules/hash.00.wasm", CID: "bafk", Bytes: 8}}, doc.Capsules)

	addrs = nil
	require.Equal(t, []string{}, read().Bootstrap, "no addresses are an empty list, not null")
}

func TestNotPacked(t *testing.T) {
	boot := func() Boot { return Boot{} }
	spoilers := map[string]func(fstest.MapFS){
		"no list":       func(d fstest.MapFS) { delete(d, buildFile) },
		"torn list":     func(d fstest.MapFS) { d[buildFile].Data = d[buildFile].Data[:20] },
		"no kernel":     func(d fstest.MapFS) { d[buildFile].Data = []byte(`{}`) },
		"missing file":  func(d fstest.MapFS) { delete(d, "index.html") },
		"changed file":  func(d fstest.MapFS) { d["index.html"].Data = []byte("shorter") },
		"path climbs":   func(d fstest.MapFS) { replace(d, "index.html", "../index.html") },
		"path absolute": func(d fstest.MapFS) { replace(d, "index.html", "/etc/passwd") },
	}
	for name, spoil := range spoilers {
		dir := packed(t)
		spoil(dir)
		_, err := New(dir, boot)
		require.ErrorIs(t, err, ErrNotPacked, name)
	}
}

func replace(d fstest.MapFS, old, with string) {
	d[buildFile].Data = []byte(strings.Replace(string(d[buildFile].Data), old, with, 1))
}

// A file that changed under a running server is an error, never a mix of both versions.
func TestChangedUnderneath(t *testing.T) {
	dir := packed(t)
	h, err := New(dir, func() Boot { return Boot{} })
	require.NoError(t, err)
	dir["index.html"].Data = []byte("changed")
	r := ask(h, "GET", "/")
	require.Equal(t, http.StatusInternalServerError, r.StatusCode)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
}

func TestOverTheWire(t *testing.T) {
	server := httptest.NewServer(newHandler(t, nil))
	defer server.Close()
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			r, err := http.Get(server.URL + "/kernel.0123456789abcdef.wasm") // the client unzips
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Equal(body, wasm) {
				t.Error("the kernel came out wrong", err)
			}
		})
	}
	wait.Wait()
}

// A real folder behaves like the one in memory.
func TestFolder(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, packed(t)))
	h, err := New(os.DirFS(root), func() Boot { return Boot{} })
	require.NoError(t, err)
	require.Equal(t, wasm, bodyOf(t, ask(h, "GET", "/kernel.0123456789abcdef.wasm")))
	require.Equal(t, http.StatusNotFound, ask(h, "GET", "/../../../../etc/passwd").StatusCode)
}
