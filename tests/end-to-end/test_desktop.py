# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real desktop, with sound, ten times there and back: its session ends by itself."""

TIMES = 10

# in a login of its own, as a player that somebody has started over SSH
PLAY = ("XDG_RUNTIME_DIR=/run/user/1000 setsid speaker-test -D pipewire -t sine -l 0 "
        ">/dev/null 2>&1 </dev/null &")
# what systemd and holders-clear say when somebody did not end by himself; the user's manager has deadlines of
# its own, and GNOME's and Plasma's services miss them at times (GNOME's have five seconds)
KILLED = "_PID=1 + _COMM=holders-clear | grep -E 'with signal SIGKILL|timed out. Killing|killing it'"
PLAYING = "grep -q RUNNING /proc/asound/card*/pcm*p/sub*/status"


def test_ten_times(host):
    for _ in range(TIMES):
        host.run(PLAY, user="lab")
        host.wait(PLAYING)
        host.run("virsh start painter", timeout=300)
        host.assert_guest_has_gpu("painter")
        host.run("virsh destroy painter")
        host.assert_has_gpu()
        # it may have outlived its sound card, or not (1)
        assert host.call("pkill -x speaker-test").returncode in (0, 1)
    assert host.run(f"journalctl -b -o cat {KILLED} || :") == ""
    # what belongs to the session comes with the next one
    assert host.run("journalctl -b -o cat -u gpu-guest-resume.service | grep again || :") == ""
