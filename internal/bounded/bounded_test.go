package bounded

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answer is larger than a connection's buffers.
const answer = 32 << 20

// serving starts a server with long answers and returns its listener. ended receives the result
// of each long answer.
func serving(t *testing.T, most int, silence time.Duration) (l *listener, ended chan error) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l = listen(inner, most, silence).(*listener)
	ended = make(chan error, 1024)
	server := Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/long" {
			_, _ = io.WriteString(w, "short")
			return
		}
		for range answer >> 16 {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}))
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return l, ended
}

// reader requests a long answer and reads nothing of it.
func reader(t *testing.T, l net.Listener) net.Conn {
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c, "GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	return c
}

// Four hundred clients that read nothing hold no more than the bound of connections, and shut
// out nobody.
func TestReadersThatReadNothing(t *testing.T) {
	l, _ := serving(t, 64, time.Hour)
	for range 400 {
		reader(t, l)
	}
	for range 20 {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + l.Addr().String())
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "short", string(text))
		l.table.mu.Lock()
		require.LessOrEqual(t, len(l.table.conns), 64)
		l.table.mu.Unlock()
	}
}

// An answer that is not read is ended even when there is room; one that is read is not.
func TestAnAnswerThatNobodyTakesEnds(t *testing.T) {
	l, ended := serving(t, 64, 2*time.Second)
	reader(t, l)
	require.Error(t, <-ended)
	resp, err := http.Get("http://" + l.Addr().String() + "/long")
	require.NoError(t, err)
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.EqualValues(t, answer, n)
	require.NoError(t, <-ended)
}

// The connection to close is the one idle longest of the network with the most.
func TestWhoGoesWhenThereIsNoRoom(t *testing.T) {
	w := connTable{most: 4, of: map[string]int{}}
	now := time.Now()
	enter := func(origin string) (c, gone *conn) {
		now = now.Add(time.Second)
		c = &conn{table: &w, origin: origin}
		return c, w.enter(c, now)
	}
	one, _ := enter("a")
	first, _ := enter("b")
	second, _ := enter("b")
	enter("b")
	first.moved = now.Add(time.Second)
	_, gone := enter("c")
	require.Same(t, second, gone)
	_, gone = enter("d")
	require.NotSame(t, one, gone)
	require.Equal(t, "b", gone.origin)
	require.Len(t, w.conns, 4)
}

func TestNetworks(t *testing.T) {
	for addr, want := range map[string]string{
		"10.1.2.3:80":              "10.1.2.0/24",
		"[::ffff:10.1.2.9]:80":     "10.1.2.0/24",
		"[2001:db8:1:2ff::1]:80":   "2001:db8:1:200::/56",
		"[fe80::1%lo]:80":          "fe80::/56",
		"[2001:db8:1:2aa:9::]:443": "2001:db8:1:200::/56",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		require.NoError(t, err)
		require.Equal(t, want, networkOf(a), addr)
	}
}
