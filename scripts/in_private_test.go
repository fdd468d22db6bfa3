//go:build linux

package scripts

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// busy mounts something, leaves files and a process, says where it is, and ends with
// 7 or, told to hold, not at all.
const busy = `set -e
mkdir "$PRIVATE/mount" && mount -t tmpfs none "$PRIVATE/mount" && mount --bind "$PRIVATE/mount" "$PRIVATE/mount"
touch "$PRIVATE/mount/file" "$PRIVATE/file"
sleep infinity & (trap '' HUP INT TERM; exec setsid sleep infinity) &
echo "$PRIVATE"
if [ "$1" = hold ]; then wait; fi
exit 7`

func private(how string) *exec.Cmd {
	words := []string{"./in-private.sh", "bash", "-c", busy, "busy", how}
	if os.Geteuid() != 0 {
		words = append([]string{"unshare", "--user", "--map-root-user"}, words...)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// However the run ends, nothing of it is left.
func TestPrivateLeavesNothing(t *testing.T) {
	// What a program was told to ignore, as nohup and background jobs are, its children
	// ignore, too; what it catches has its usual meaning there.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP, syscall.SIGINT)
	defer signal.Stop(caught)
	for name, c := range map[string]struct {
		how  string
		end  func(pid int) error
		code int
	}{
		"by itself":                   {"end", nil, 7},
		"interrupted, with its group": {"hold", func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) }, 130},
		"interrupted":                 {"hold", func(pid int) error { return syscall.Kill(pid, syscall.SIGINT) }, 130},
		"terminated":                  {"hold", func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }, 143},
		"hung up":                     {"hold", func(pid int) error { return syscall.Kill(pid, syscall.SIGHUP) }, 129},
		"killed":                      {"hold", func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }, -1},
		"killed, with its group":      {"hold", func(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }, -1},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := private(c.how)
			var said bytes.Buffer
			cmd.Stderr = &said
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewReader(stdout)
			folder, err := lines.ReadString('\n')
			if err != nil {
				_ = cmd.Wait() // said is whole then
				require.NoError(t, err, said.String())
			}
			folder = strings.TrimSpace(folder)
			if c.end != nil {
				require.DirExists(t, folder)
				require.NotEmpty(t, using(t, folder))
				require.NoError(t, c.end(cmd.Process.Pid))
			}
			// All that belongs to the run holds its output open.
			_, err = io.Copy(io.Discard, lines)
			require.NoError(t, err)
			_ = cmd.Wait()
			require.Equal(t, c.code, cmd.ProcessState.ExitCode(), said.String())
			require.NoDirExists(t, folder)
			require.Empty(t, using(t, folder))
		})
	}
}

// using names the processes that see a mount below a folder, or run in it.
func using(t *testing.T, folder string) (found []string) {
	for _, file := range []string{"mountinfo", "environ"} {
		paths, err := filepath.Glob("/proc/[0-9]*/" + file)
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err == nil && bytes.Contains(text, []byte(folder)) { // it may have ended meanwhile
				found = append(found, path)
			}
		}
	}
	return found
}
