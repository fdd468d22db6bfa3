package webtransport

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/p2p/security/noise/pb"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multibase"
	"github.com/multiformats/go-multihash"
	"github.com/stretchr/testify/require"
)

func hash(t testing.TB, of string, code uint64) (mh []byte, text string) {
	mh, err := multihash.Sum([]byte(of), code, -1)
	require.NoError(t, err)
	text, err = multibase.Encode(multibase.Base64url, mh)
	require.NoError(t, err)
	return mh, text
}

func TestParseAddr(t *testing.T) {
	one, oneText := hash(t, "one", multihash.SHA2_256)
	two, twoText := hash(t, "two", multihash.SHA2_256)
	_, other := hash(t, "one", multihash.SHA2_512)
	const id = "/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
	got, err := parseAddr(ma.StringCast("/ip4/1.2.3.4/udp/5/quic-v1/webtransport/certhash/" + oneText + "/certhash/" + twoText + id))
	require.NoError(t, err)
	require.Equal(t, "https://1.2.3.4:5/.well-known/libp2p-webtransport?type=noise", got.url)
	require.Equal(t, "/ip4/1.2.3.4/udp/5/quic-v1/webtransport", got.remote.String())
	require.Equal(t, [][]byte{one, two}, got.hashes)
	require.Equal(t, one[2:], digest(one))
	got, err = parseAddr(ma.StringCast("/ip6/::1/udp/5/quic-v1/webtransport/certhash/" + oneText))
	require.NoError(t, err)
	require.Equal(t, "https://[::1]:5/.well-known/libp2p-webtransport?type=noise", got.url)
	require.Equal(t, "/ip6/::/udp/0/quic-v1/webtransport", got.local.String())
	require.True(t, CanDial(ma.StringCast("/dns4/node.example/udp/443/quic-v1/webtransport/certhash/"+oneText)))

	for _, bad := range []string{
		"/ip4/1.2.3.4",
		"/ip4/1.2.3.4/tcp/5/ws",
		"/ip4/1.2.3.4/udp/5/quic-v1",
		"/ip4/1.2.3.4/udp/5/quic-v1/webtransport",
		"/ip4/1.2.3.4/udp/5/quic-v1/webtransport/certhash/" + other,
		"/udp/5/quic-v1/webtransport/certhash/" + oneText,
		"/ip4/1.2.3.4/udp/5/quic-v1/webtransport/certhash/" + oneText + "/p2p-circuit",
		"/ip4/1.2.3.4/udp/5/quic-v1/webtransport" + strings.Repeat("/certhash/"+oneText, maxCertHashes+1),
	} {
		_, err := parseAddr(ma.StringCast(bad))
		require.ErrorIs(t, err, ErrAddress, bad)
	}
	require.False(t, CanDial(nil))
}

func FuzzParseAddr(f *testing.F) {
	_, text := hash(f, "one", multihash.SHA2_256)
	f.Add("/ip4/1.2.3.4/udp/5/quic-v1/webtransport/certhash/" + text)
	f.Add("/ip6/::1/udp/5/quic-v1/webtransport")
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := ma.NewMultiaddr(s)
		if err != nil {
			return
		}
		got, err := parseAddr(addr)
		if err != nil {
			require.ErrorIs(t, err, ErrAddress)
			return
		}
		require.NotEmpty(t, got.hashes)
		require.True(t, strings.HasPrefix(got.url, "https://"))
	})
}

func TestCertCheck(t *testing.T) {
	one, _ := hash(t, "one", multihash.SHA2_256)
	two, _ := hash(t, "two", multihash.SHA2_256)
	for name, c := range map[string]struct {
		dialled, served [][]byte
		ok              bool
	}{
		"the one":          {[][]byte{one}, [][]byte{two, one}, true},
		"both":             {[][]byte{one, two}, [][]byte{two, one}, true},
		"one too many":     {[][]byte{one, two}, [][]byte{one}, false},
		"nothing served":   {[][]byte{one}, nil, false},
		"digest only":      {[][]byte{one}, [][]byte{one[2:]}, false},
		"another function": {[][]byte{one}, [][]byte{append([]byte{0x13, 32}, one[2:]...)}, false},
	} {
		check := &certCheck{dialled: c.dialled}
		err := check.Received(t.Context(), nil, &pb.NoiseExtensions{WebtransportCerthashes: c.served})
		require.Equal(t, c.ok, check.passed, name)
		if !c.ok {
			require.ErrorIs(t, err, ErrCertHash, name)
		}
	}
	require.ErrorIs(t, (&certCheck{dialled: [][]byte{one}}).Received(t.Context(), nil, nil), ErrCertHash, "no extensions")
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		first := d.passed()
		d.set(time.Now().Add(time.Second))
		require.Equal(t, first, d.passed(), "who waits keeps waiting on the same")
		d.set(time.Now().Add(time.Minute))
		time.Sleep(2 * time.Second)
		require.False(t, isClosed(first), "the first timer was moved")
		time.Sleep(time.Minute)
		require.True(t, isClosed(first))
		d.set(time.Time{})
		require.False(t, isClosed(d.passed()))
		d.set(time.Now())
		require.True(t, isClosed(d.passed()))
		d.set(time.Now().Add(time.Second))
		d.stop()
		time.Sleep(time.Minute)
		require.False(t, isClosed(d.passed()))
	})
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget()
		var ends []func(bool)
		for range dialsAtOnce {
			end, err := b.begin(t.Context())
			require.NoError(t, err)
			ends = append(ends, end)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.begin(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded, "a fifth dial waits for a place")
		for _, end := range ends {
			end(true)
		}
		for range 10 * failureBurst {
			end, err := b.begin(t.Context())
			require.NoError(t, err)
			end(true) // successes cost nothing
		}
		start := time.Now()
		for range failureBurst {
			end, err := b.begin(t.Context())
			require.NoError(t, err)
			end(false)
		}
		require.Zero(t, time.Since(start))
		ctx, cancel = context.WithTimeout(t.Context(), failureRefill/2)
		defer cancel()
		_, err = b.begin(ctx)
		require.ErrorIs(t, err, ErrBackoff, "said at once, not at the deadline")
		require.Zero(t, time.Since(start))
		end, err := b.begin(t.Context())
		require.NoError(t, err)
		require.Equal(t, failureRefill, time.Since(start))
		end(false)
	})
}
