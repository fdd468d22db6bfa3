package webtransport

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPermissionFor(t *testing.T) {
	for host, want := range map[string]string{
		"127.0.0.1": loopback, "127.8.9.1": loopback, "::1": loopback, "[::1]": loopback, "localhost": loopback, "LOCALHOST.": loopback,
		"shell.localhost": loopback, "0.0.0.0": loopback, "::ffff:127.0.0.1": loopback,
		"10.1.2.3": nearby, "172.16.0.1": nearby, "172.31.255.255": nearby, "192.168.1.7": nearby, "169.254.1.1": nearby, "100.64.0.1": nearby,
		"fd00::1": nearby, "fe80::1": nearby, "printer.local": nearby,
		"172.32.0.1": "", "100.128.0.1": "", "192.0.2.1": "", "2001:db8::1": "", "example.org": "", "local": "", "": "", "notlocalhost": "",
	} {
		require.Equal(t, want, permissionFor(host), host)
	}
}

func TestAsks(t *testing.T) {
	for _, c := range []struct {
		page, host string
		want       bool
	}{
		{"example.org", "127.0.0.1", true}, {"example.org", "192.168.1.7", true}, {"192.168.1.7", "127.0.0.1", true}, {"printer.local", "localhost", true},
		{"192.168.1.7", "10.0.0.1", false}, {"localhost", "192.168.1.7", false}, {"127.0.0.1", "127.0.0.1", false}, {"example.org", "192.0.2.1", false},
	} {
		require.Equal(t, c.want, asks(c.page, permissionFor(c.host)), "from %s to %s", c.page, c.host)
	}
}
