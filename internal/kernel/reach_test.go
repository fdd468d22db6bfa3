package kernel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/scheduler"
)

// A node that nobody can dial, as a browser is, gets jobs from those that it is connected
// to and is no candidate for anybody else, however well it scores.
func TestWhoCannotBeDialledIsNoCandidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home, server := w.start("home", func(c *Config) { c.Slots = -1 }), w.start("server", func(c *Config) { c.Capabilities = []string{"gpu"} })
		require.NoError(t, home.blobs.Accept(testBlob()))
		w.meet(home, server)
		browser := w.start("browser", func(c *Config) { c.CreditCost, c.Capabilities = 1, []string{"gpu", "camera"} })
		browser.mesh.StopListening()
		w.meet(browser, server)
		time.Sleep(11 * time.Second) // it publishes its profile again

		n, known := infoOf(t, home.Kernel, browser.Self())
		require.True(t, known)
		require.Empty(t, n.Profile.Addrs)
		require.Equal(t, []scheduler.Requirement{scheduler.NeedDial, scheduler.NeedAnswer}, n.Missing)
		n, _ = infoOf(t, server.Kernel, browser.Self())
		require.Empty(t, n.Missing, "it is connected there")
		self, _ := infoOf(t, home.Kernel, home.Self())
		require.False(t, self.Candidate, "no slots")

		out, err := home.Dispatch(t.Context(), submission("x", needs("gpu")))
		require.NoError(t, err)
		require.Equal(t, server.Self(), out.Node)
		require.Len(t, out.Attempts, 1, "nothing was tried in vain")
		_, err = home.Dispatch(t.Context(), submission("x", func(s *Submission) {
			needs("camera")(s)
			s.Job.Deadline = time.Now().Add(20 * time.Second)
		}))
		require.ErrorIs(t, err, scheduler.ErrNoCandidate)

		w.meet(browser, home)
		synctest.Wait()
		n, _ = infoOf(t, home.Kernel, browser.Self())
		require.Empty(t, n.Missing)
		out, err = home.Dispatch(t.Context(), submission("x", needs("camera")))
		require.NoError(t, err)
		require.Equal(t, browser.Self(), out.Node)

		w.net.SetDown(browser.Self(), true)
		synctest.Wait()
		if n, known := infoOf(t, home.Kernel, browser.Self()); known {
			require.Contains(t, n.Missing, scheduler.NeedDial, "at once")
		}
	})
}
