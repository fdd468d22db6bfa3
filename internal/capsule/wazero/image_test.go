package wazero_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// scene is a picture with gradients, a disc and a few hard edges.
func scene(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{uint8(255 * x / w), uint8(255 * y / h), uint8(128 + 100*math.Sin(float64(x+y)/9)), 255}
			if math.Hypot(float64(x-w/3), float64(y-h/2)) < float64(h)/5 {
				c = color.RGBA{230, 40, 60, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

// resized computes independently a resize with a triangle filter: the weight of
// a pixel falls linearly with its distance, over the larger of both pixels.
func resized(m image.Image, w, h int) *image.RGBA {
	b := m.Bounds()
	weights := func(from, to int) [][]float64 {
		out := make([][]float64, to)
		scale := float64(from) / float64(to)
		reach := max(scale, 1)
		for i := range out {
			out[i] = make([]float64, from)
			center, sum := (float64(i)+0.5)*scale, 0.0
			for j := range from {
				out[i][j] = max(0, 1-math.Abs(float64(j)+0.5-center)/reach)
				sum += out[i][j]
			}
			for j := range from {
				out[i][j] /= sum
			}
		}
		return out
	}
	wx, wy := weights(b.Dx(), w), weights(b.Dy(), h)
	rows := make([][][3]float64, h) // h rows of b.Dx() columns
	for y := range h {
		rows[y] = make([][3]float64, b.Dx())
		for j, k := range wy[y] {
			if k == 0 {
				continue
			}
			for x := range b.Dx() {
				r, g, bl, _ := m.At(b.Min.X+x, b.Min.Y+j).RGBA()
				for i, v := range [3]uint32{r, g, bl} {
					rows[y][x][i] += k * float64(v>>8)
				}
			}
		}
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			var sum [3]float64
			for j, k := range wx[x] {
				for i := range sum {
					sum[i] += k * rows[y][j][i]
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(math.Round(sum[0])), uint8(math.Round(sum[1])), uint8(math.Round(sum[2])), 255})
		}
	}
	return out
}

// apart returns the largest and the root mean square difference of two
// pictures' samples.
func apart(t *testing.T, a, b image.Image) (most int, rms float64) {
	t.Helper()
	require.Equal(t, a.Bounds().Size(), b.Bounds().Size())
	n := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r1, g1, b1, _ := a.At(a.Bounds().Min.X+x, a.Bounds().Min.Y+y).RGBA()
			r2, g2, b2, _ := b.At(b.Bounds().Min.X+x, b.Bounds().Min.Y+y).RGBA()
			for _, d := range [3]int{int(r1>>8) - int(r2>>8), int(g1>>8) - int(g2>>8), int(b1>>8) - int(b2>>8)} {
				most = max(most, d, -d)
				rms += float64(d * d)
				n++
			}
		}
	}
	return most, math.Sqrt(rms / float64(n))
}

func TestImageAgreesWithGo(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "image")), capsule.Config{})
	original := scene(160, 120)
	var asPNG, asJPEG bytes.Buffer
	require.NoError(t, png.Encode(&asPNG, original))
	require.NoError(t, jpeg.Encode(&asJPEG, original, &jpeg.Options{Quality: 95}))
	decodedJPEG, err := jpeg.Decode(bytes.NewReader(asJPEG.Bytes()))
	require.NoError(t, err)
	run := func(input []byte, method string, args ...string) []byte {
		out, err := c.Run(t.Context(), capsule.Task{Method: method, Args: args, Input: input}, nil)
		require.NoError(t, err)
		return out
	}
	require.Equal(t, "png 160 120\n", string(run(asPNG.Bytes(), "info")))
	require.Equal(t, "jpeg 160 120\n", string(run(asJPEG.Bytes(), "info")))

	for _, size := range []struct {
		w, h   int
		args   []string
		source []byte
		of     image.Image
		most   int     // difference of any sample
		rms    float64 // of all
	}{
		{160, 120, []string{"0", "0", "png"}, asPNG.Bytes(), original, 0, 0},
		{80, 60, []string{"80", "0", "png"}, asPNG.Bytes(), original, 1, 0.5},
		{37, 91, []string{"37", "91", "png"}, asPNG.Bytes(), original, 1, 0.5},
		{400, 300, []string{"0", "300", "png"}, asPNG.Bytes(), original, 1, 0.5},
		// Two decoders of JPEG differ in rounding, and in how they widen colour.
		{80, 60, []string{"80", "60", "png"}, asJPEG.Bytes(), decodedJPEG, 24, 2},
		{80, 60, []string{"80", "60", "jpeg", "95"}, asPNG.Bytes(), original, 40, 4},
	} {
		out := run(size.source, "resize", size.args...)
		got, format, err := image.Decode(bytes.NewReader(out))
		require.NoError(t, err)
		require.Equal(t, size.args[2], format)
		most, rms := apart(t, got, resized(size.of, size.w, size.h))
		require.LessOrEqual(t, most, size.most, size.args)
		require.LessOrEqual(t, rms, size.rms, size.args)
	}
	_, err = c.Run(t.Context(), capsule.Task{Method: "resize", Args: []string{"8", "8"}, Input: asPNG.Bytes()[:99]}, nil)
	require.ErrorIs(t, err, capsule.ErrBadInput)
}
