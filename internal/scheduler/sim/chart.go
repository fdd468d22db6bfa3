package sim

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// Point is the p99 of one policy at one load.
type Point struct {
	Load float64
	P99  time.Duration
}

// Line is the points of one policy over the loads.
type Line struct {
	Policy string
	Points []Point
}

// Sweep runs every policy over w at each of loads.
func Sweep(m Mesh, w Workload, policies []Policy, loads []float64, seeds int) []Line {
	lines := make([]Line, len(policies))
	for i, p := range policies {
		lines[i].Policy = p.Name
		for _, load := range loads {
			w.Load = load
			lines[i].Points = append(lines[i].Points, Point{load, Mean(m, w, p, seeds).P99})
		}
	}
	return lines
}

// The frame of the picture, in its own units.
const (
	chartWidth, chartHeight = 860, 520
	plotLeft, plotRight     = 84, 660
	plotTop, plotBottom     = 64, 450
	labelGap                = 19 // between the names at the ends of the lines
)

var chartColours = []string{"#c1440e", "#0b6e4f", "#5aa17f", "#8a6fb0", "#b58900", "#3867b7", "#6b7280"}

// Chart draws load against p99, one line a policy, the p99 on a logarithmic axis
// in milliseconds, as an SVG picture.
func Chart(title string, lines []Line) string {
	low, high := math.Inf(1), 0.0
	from, to := math.Inf(1), 0.0
	for _, l := range lines {
		for _, p := range l.Points {
			low, high = min(low, ms(p.P99)), max(high, ms(p.P99))
			from, to = min(from, p.Load), max(to, p.Load)
		}
	}
	high = math.Pow(10, math.Ceil(math.Log10(high)))
	low = floor125(low)
	x := func(load float64) float64 { return plotLeft + (load-from)/(to-from)*(plotRight-plotLeft) }
	y := func(v float64) float64 {
		return plotBottom - math.Log(v/low)/math.Log(high/low)*(plotBottom-plotTop)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="13" fill="#1f2933">`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&b, `<text x="%d" y="34" font-size="17" font-weight="600">%s</text>`+"\n", plotLeft, html.EscapeString(title))
	for v := low; v <= high*1.01; v = next125(v) {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#e4e7eb"/>`, plotLeft, plotRight, y(v), y(v))
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", plotLeft-8, y(v)+4, duration(v))
	}
	for _, p := range lines[0].Points {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%.0f %%</text>`+"\n", x(p.Load), plotBottom+20, 100*p.Load)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">load: work that arrives over what all nodes can do</text>`+"\n", (plotLeft+plotRight)/2, plotBottom+44)
	fmt.Fprintf(&b, `<text transform="translate(20 %d) rotate(-90)" text-anchor="middle">p99 of a job's latency</text>`+"\n", (plotTop+plotBottom)/2)
	names := endLabels(lines, y)
	for i, l := range lines {
		colour, width := chartColours[i%len(chartColours)], 2.0
		if l.Policy == "INOS" {
			width = 4
		}
		path := make([]string, len(l.Points))
		for j, p := range l.Points {
			path[j] = fmt.Sprintf("%.1f,%.1f", x(p.Load), y(ms(p.P99)))
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="%g" stroke-linejoin="round" points="%s"/>`, colour, width, strings.Join(path, " "))
		last := y(ms(l.Points[len(l.Points)-1].P99))
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="%s"/>`, plotRight, last, plotRight+18, names[i], colour)
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" fill="%s" font-weight="%d">%s</text>`+"\n", plotRight+22, names[i]+4, colour, int(300+100*width), l.Policy)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// endLabels gives the name of each line a height of its own near the line's end.
func endLabels(lines []Line, y func(float64) float64) []float64 {
	at := make([]float64, len(lines))
	order := make([]int, 0, len(lines))
	for i, l := range lines {
		at[i] = y(ms(l.Points[len(l.Points)-1].P99))
		j := len(order)
		for j > 0 && at[order[j-1]] > at[i] {
			j--
		}
		order = append(order[:j], append([]int{i}, order[j:]...)...)
	}
	for k := 1; k < len(order); k++ {
		at[order[k]] = max(at[order[k]], at[order[k-1]]+labelGap)
	}
	return at
}

func duration(ms float64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%g s", ms/1000)
	}
	return fmt.Sprintf("%g ms", ms)
}

// floor125 returns the largest of ..., 1, 2, 5, 10, ... that is at most v.
func floor125(v float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(v)))
	switch {
	case v >= 5*step:
		return 5 * step
	case v >= 2*step:
		return 2 * step
	}
	return step
}

func next125(v float64) float64 { return floor125(v * 2.6) }
