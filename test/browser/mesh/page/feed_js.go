package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
	"inos/test/browser/mesh/flow"
)

// eaten is the stream that a node fed the browser.
type eaten struct {
	sum   string
	total uint64
}

// HandleFeed reads a stream; "held" only after release is closed.
func (h handler) HandleFeed(ctx context.Context, _ identity.PeerID, call mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) mesh.FeedEnd {
	if call.Capsule == "held" {
		select {
		case <-h.release:
		case <-ctx.Done():
			return mesh.FeedEnd{Code: capsule.Refused, Reason: "cancelled"}
		}
	}
	sum, total, err := flow.Swallow(r, onTaken)
	if err != nil {
		return mesh.FeedEnd{Code: capsule.Refused, Reason: "failed", Message: err.Error(), Taken: total}
	}
	h.eaten <- eaten{fmt.Sprintf("%x", sum), total}
	return mesh.FeedEnd{Taken: total}
}

const feedSize = 32 << 20

// windows is more than the browser and QUIC buffer of a stream that is not read, in bytes.
const windows = 16 << 20

func testFeeds(a addresses, m *p2p.Mesh, h handler, job func(ctx context.Context, p identity.PeerID, method string, input []byte) (string, error)) {
	node := idOf(a.node)
	call := func(id string) mesh.FeedCall {
		return mesh.FeedCall{Capsule: id, Envelope: governance.Envelope{ID: "f", Type: mesh.FeedType, Timestamp: time.Now()}}
	}
	test("a stream into a capsule on the node", func(ctx context.Context) {
		s := flow.New(feedSize)
		start := time.Now()
		end, err := m.Feed(ctx, node, call("sum"), s, nil)
		noErr(err)
		took := time.Since(start)
		must(end.Code == capsule.OK && end.Taken == feedSize, "%+v", end)
		must(end.Message == fmt.Sprintf("%x", s.Sum()), "another sum")
		fmt.Printf("     %d MiB in %.0f ms, %.0f MB/s\n", feedSize>>20, ms(took), feedSize/1e6/took.Seconds())
	})
	test("a stream that the node does not read stops, and the connection does not", func(ctx context.Context) {
		s := flow.New(feedSize)
		ended := make(chan mesh.FeedEnd, 1)
		failed := make(chan error, 1)
		go func() {
			end, err := m.Feed(ctx, node, call("held"), s, nil)
			ended <- end
			failed <- err
		}()
		// The stream stands still once two looks a hundred round trips apart see the same count.
		for before := int64(-1); before != s.Bytes() || before == 0; {
			before = s.Bytes()
			for range 100 {
				_, err := m.Ping(ctx, node)
				noErr(err)
			}
		}
		held := s.Bytes()
		must(held < windows, "%d bytes were sent", held)
		_, err := job(ctx, node, "release", nil)
		noErr(err)
		end := <-ended
		noErr(<-failed)
		must(end.Taken == feedSize && end.Message == fmt.Sprintf("%x", s.Sum()), "%+v", end)
		fmt.Printf("     held after %d KiB\n", held>>10)
	})
	test("a stream whose capsule ends", func(ctx context.Context) {
		end, err := m.Feed(ctx, node, call("refused"), flow.New(1<<40), nil)
		noErr(err)
		must(end.Code == capsule.Crashed && end.Reason == "capsule_killed", "%+v", end)
	})
	test("a stream from the node into the browser", func(ctx context.Context) {
		start := time.Now()
		text, err := job(ctx, node, "feed", fmt.Append(nil, feedSize))
		noErr(err)
		took := time.Since(start)
		got := <-h.eaten
		words := strings.Fields(text)
		must(len(words) == 3 && words[0] == fmt.Sprint(feedSize) && words[1] == got.sum && got.total == feedSize, "%q, %+v", text, got)
		fmt.Printf("     %d MiB in %.0f ms, %.0f MB/s\n", feedSize>>20, ms(took), feedSize/1e6/took.Seconds())
	})
	test("a stream from the node that the browser does not read stops", func(ctx context.Context) {
		answer := make(chan string, 1)
		failed := make(chan error, 1)
		go func() {
			text, err := job(ctx, node, "feed:held", fmt.Append(nil, feedSize))
			answer <- text
			failed <- err
		}()
		for before := ""; ; {
			now, err := job(ctx, node, "fed", nil)
			noErr(err)
			if now == before && now != "0" {
				break
			}
			before = now
			for range 100 {
				_, err := m.Ping(ctx, node)
				noErr(err)
			}
		}
		close(h.release)
		text := <-answer
		noErr(<-failed)
		got := <-h.eaten
		var taken, ahead int
		var sum string
		_, err := fmt.Sscan(text, &taken, &sum, &ahead)
		noErr(err)
		must(taken == feedSize && sum == got.sum, "%q, %+v", text, got)
		must(ahead < windows, "%d bytes ahead", ahead)
		fmt.Printf("     held after %d KiB\n", ahead>>10)
	})
}
