//go:build !js

package otlp

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"inos/internal/trace"
)

// received is a request that the collector decoded.
type received struct {
	header http.Header
	path   string
	spans  []*tracepb.ResourceSpans
}

// collector is an HTTP receiver of OTLP, which answers with the given codes in turn and then
// repeats the last one.
func collector(t *testing.T, status ...int) (url string, got chan received) {
	got = make(chan received, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			zipped, err := gzip.NewReader(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			body = zipped
		}
		raw, err := io.ReadAll(body)
		var v coltracepb.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(raw, &v) != nil || r.Method != http.MethodPost ||
			r.Header.Get("Content-Type") != "application/x-protobuf" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(status[0])
		if len(status) > 1 {
			status = status[1:]
		}
		got <- received{r.Header, r.URL.Path, v.ResourceSpans}
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

	require.Len(t, got, 1)
	r := <-got
	require.Equal(t, "/v1/traces", r.path)
	require.Len(t, r.spans, 2, "one of each node")
	require.Equal(t, "service.instance.id", r.spans[0].Resource.Attributes[1].Key)
	require.Equal(t, "node-b", r.spans[0].Resource.Attributes[1].Value.GetStringValue())
	first := r.spans[0].ScopeSpans[0].Spans[0]
	require.Equal(t, append([]byte{1}, make([]byte, 15)...), first.TraceId)
	require.Len(t, first.SpanId, 8)
	parent := serve.Context().Span
	require.Equal(t, parent[:], first.ParentSpanId)
	require.EqualValues(t, 1_700_000_000_123_456_789, first.StartTimeUnixNano)
	require.EqualValues(t, 1_700_000_001_123_456_789, first.EndTimeUnixNano)
	require.Equal(t, tracepb.Status_STATUS_CODE_ERROR, first.Status.Code)
	require.Equal(t, "creditExhausted", first.Status.Message)
	require.Equal(t, "job-1", first.Attributes[0].Value.GetStringValue())
	second := r.spans[1].ScopeSpans[0].Spans[0]
	require.Equal(t, tracepb.Span_SPAN_KIND_SERVER, second.Kind)
	require.Equal(t, append([]byte{2}, make([]byte, 7)...), second.ParentSpanId)
	require.Zero(t, e.Dropped())
}

func TestACollectorThatRefusesIsReported(t *testing.T) {
	url, _ := collector(t, http.StatusForbidden)
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
	require.ErrorContains(t, <-failed, "403")
	require.EqualValues(t, queued+5, e.Dropped())
}

// A batch that the collector postpones is sent again, also when the exporter is ending.
func TestACollectorThatIsBusyIsAskedAgain(t *testing.T) {
	url, got := collector(t, http.StatusServiceUnavailable, http.StatusOK)
	e, err := New(url, func(err error) { t.Error(err) })
	require.NoError(t, err)
	e.Offer(trace.Span{Name: "x"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, e.Serve(ctx), context.Canceled)
	require.Len(t, got, 2)
	require.Equal(t, "x", (<-got).spans[0].ScopeSpans[0].Spans[0].Name)
	require.Equal(t, "x", (<-got).spans[0].ScopeSpans[0].Spans[0].Name)
	require.Zero(t, e.Dropped())
}

// OpenTelemetry's variables set the collector's address, unless the caller does, and the rest of
// the request.
func TestTheEnvironmentIsHeard(t *testing.T) {
	require.False(t, InEnvironment())
	url, got := collector(t, http.StatusOK)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url+"/prefix")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token")
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	require.True(t, InEnvironment())
	for base, path := range map[string]string{"": "/prefix/v1/traces", url: "/v1/traces", url + "/custom/path": "/custom/path"} {
		e, err := New(base, func(err error) { t.Error(err) })
		require.NoError(t, err)
		e.Offer(trace.Span{Name: "x"})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, e.Serve(ctx), context.Canceled)
		require.Len(t, got, 1)
		r := <-got
		require.Equal(t, path, r.path)
		require.Equal(t, "Bearer token", r.header.Get("Authorization"))
		require.Equal(t, "gzip", r.header.Get("Content-Encoding"))
	}
	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	require.False(t, InEnvironment())
}

func TestBadAddress(t *testing.T) {
	for _, bad := range []string{"localhost:4318", "ftp://x/", "http://", "://"} {
		_, err := New(bad, nil)
		require.ErrorIs(t, err, ErrURL, bad)
	}
}
