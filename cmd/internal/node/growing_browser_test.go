//go:build js && browser

package node

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/jpeg"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

// node test/browser/capsule/run.mjs --of nodes -- -test.run=TestJobs -jobs=1000 -thumbnails=200
var (
	jobs       = flag.Int("jobs", 300, "jobs of TestJobsThatGrow, of each kind")
	thumbnails = flag.Int("thumbnails", 40, "jobs of TestJobsThatMakeThumbnails")
)

// eightAtATime has one customer buy n jobs of the capsule name from one node. None fails, and
// they have the same result. It returns how many had a Worker that had served before.
func eightAtATime(t *testing.T, n int, name, method string, input []byte, args ...string) int {
	p := newPage(t)
	worker := p.enter(t, 1, 8)
	payer := p.customer(t, 2, worker)
	wasm := pageCapsule(name)
	info, err := capsule.Inspect(wasm)
	require.NoError(t, err)
	_, err = worker.Library.Publish(name, wasm)
	require.NoError(t, err)
	todo := make(chan int, n)
	for i := range n {
		todo <- i
	}
	close(todo)
	began, reused := time.Now(), pageStat("reused")
	var mu sync.Mutex
	outputs, errs := map[string]int{}, map[string]int{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range todo {
				out, err := bought(t, payer, info.CID, method, 1, input, args...)
				mu.Lock()
				if err != nil {
					errs[err.Error()]++
				} else {
					outputs[out]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	reused = pageStat("reused") - reused
	require.Empty(t, errs, "of %d jobs", n)
	require.Len(t, outputs, 1, "the same result for all")
	t.Logf("%d jobs in %v, %.1f a second, %d on a Worker that had served", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), reused)
	return reused
}

// A job that grows its memory takes that and its Worker with it: the next has new ones, of
// which a browser has few at a time. None fails for that, however many there are.
func TestJobsThatGrow(t *testing.T) {
	t.Run("they do not", func(t *testing.T) {
		require.Positive(t, eightAtATime(t, *jobs, "fault", "hunger", nil, "1000"))
	})
	t.Run("to 3 MiB", func(t *testing.T) {
		require.Zero(t, eightAtATime(t, *jobs, "fault", "hunger", nil, strconv.Itoa(3<<20)))
	})
}

func TestJobsThatMakeThumbnails(t *testing.T) {
	picture := image.NewRGBA(image.Rect(0, 0, 1600, 1200))
	for y := range 1200 {
		for x := range 1600 {
			picture.SetRGBA(x, y, color.RGBA{R: uint8(x / 7), G: uint8(y / 5), B: uint8(x * y >> 12), A: 255})
		}
	}
	var file bytes.Buffer
	require.NoError(t, jpeg.Encode(&file, picture, &jpeg.Options{Quality: 90}))
	require.Zero(t, eightAtATime(t, *thumbnails, "image", "resize", file.Bytes(), "160", "0", "jpeg", "80", "lanczos"))
}
