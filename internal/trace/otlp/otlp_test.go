//go:build !js

package otlp

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/trace"
)

// collector is an HTTP receiver of OTLP.
func collector(t *testing.T, status int) (url string, got chan map[string]any) {
	got = make(chan map[string]any, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var v map[string]any
		if err != nil || json.Unmarshal(body, &v) != nil || r.URL.Path != "/v1/traces" || r.Method != http.MethodPost ||
			r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(status)
		got <- v
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func TestSpansReachTheCollector(t *testing.T) {
	url, got := collector(t, http.StatusOK)
	e, err := New(url, func(err error) { t.Error(err) })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Serve(ctx) }()

	recorder := trace.NewRecorder(0)
	recorder.Listen(e.Offer)
	root := trace.Context{Trace: trace.TraceID{1}, Span: trace.SpanID{2}, Flags: 1}
	begin := time.Unix(0, 1_700_000_000_123_456_789)
	serve := trace.Start(root, "serve", "job-1", begin)
	recorder.Add(trace.Start(serve.Context(), "run", "job-1", begin).End("node-b", "creditExhausted", begin.Add(time.Second)),
		serve.End("node-a", "", begin.Add(2*time.Second)))
	cancel()
	<-ended

	v := <-got
	resources := v["resourceSpans"].([]any)
	require.Len(t, resources, 2, "one of each node")
	first := resources[0].(map[string]any)["scopeSpans"].([]any)[0].(map[string]any)["spans"].([]any)[0].(map[string]any)
	require.Equal(t, "01000000000000000000000000000000", first["traceId"])
	require.Len(t, first["spanId"], 16)
	require.Equal(t, serve.Context().Span.String(), first["parentSpanId"])
	require.Equal(t, "1700000000123456789", first["startTimeUnixNano"])
	require.Equal(t, "1700000001123456789", first["endTimeUnixNano"])
	require.Equal(t, map[string]any{"code": 2.0, "message": "creditExhausted"}, first["status"])
	second := resources[1].(map[string]any)["scopeSpans"].([]any)[0].(map[string]any)["spans"].([]any)[0].(map[string]any)
	require.Equal(t, 2.0, second["kind"], "a server's")
	require.Equal(t, "0200000000000000", second["parentSpanId"])
	require.Zero(t, e.Dropped())
}

func TestACollectorThatRefusesIsReported(t *testing.T) {
	url, _ := collector(t, http.StatusServiceUnavailable)
	failed := make(chan error, 1)
	e, err := New(url, func(err error) { failed <- err })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range queued + 5 {
		e.Offer(trace.Span{Name: "x"})
	}
	require.EqualValues(t, 5, e.Dropped(), "nobody waits for a collector")
	require.ErrorIs(t, e.Serve(ctx), context.Canceled)
	require.ErrorContains(t, <-failed, "503")
	require.EqualValues(t, queued+5, e.Dropped())
}

func TestBadAddress(t *testing.T) {
	for _, bad := range []string{"", "localhost:4318", "ftp://x/", "http://", "://"} {
		_, err := New(bad, nil)
		require.ErrorIs(t, err, ErrURL, bad)
	}
	e, err := New("https://collector.example/custom/path", nil)
	require.NoError(t, err)
	require.Equal(t, "https://collector.example/custom/path", e.target)
}
