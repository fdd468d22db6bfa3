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
