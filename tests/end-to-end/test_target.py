# SPDX-License-Identifier: LGPL-2.1-or-later
"""By hand: gpu-guest.target and back, with and without guests."""

import pytest

from lablib.host import STEPS


@pytest.mark.parametrize("start, back", [
    ("start", "start graphical.target"),
    ("start", "stop gpu-guest.target"),
    ("start", "start display-manager.service"),
    ("isolate", "isolate graphical.target"),
])
def test_there_and_back(host, start, back):
    host.run(f"systemctl {start} gpu-guest.target")
    host.assert_guest_has_gpu(look="dark")
    host.run(f"systemctl {back}")
    host.assert_has_gpu()


def test_guest_under_the_target(host):
    """The lease ends with the guest; the GPU stays with the target."""
    host.run("systemctl start gpu-guest.target")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.wait("systemctl is-active gpu-guest@painter.service | grep -qxE 'inactive|failed'")
    host.wait_jobs()
    stays = {"driver": "vfio-pci", "steps": " ".join(sorted(STEPS))}
    assert host.state_of(stays) == stays
    host.run("systemctl start graphical.target")
    host.assert_has_gpu()


def test_desktop_asked_for_while_the_guest_runs(host):
    """The guest is asked to shut down, and only then does the GPU move."""
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("systemctl start graphical.target")
    assert host.run("virsh domstate painter") == "shut off"
    host.assert_has_gpu()
    said = host.journal("gpu-guest@painter.service", "gpu-guest-vfio.service")
    assert said.index("Asking the guest to shut down") < said.index("back from vfio-pci")


def test_guest_that_is_not_libvirts(host):
    """Nobody knows how to ask it, so it is waited for: its GPU is never taken from under it."""
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    # what has the group open is no process of the lease's domain any more
    host.run("systemctl start gpu-guest@other.service && systemctl kill -s KILL gpu-guest@painter.service")
    host.run("systemctl --no-block stop gpu-guest@other.service")
    host.wait("systemctl show -P StatusText gpu-guest-vfio.service | grep -q 'Waiting for the guest'")
    host.wait_look("guest")
    assert host.run("virsh domstate painter") == "running"
    host.run("virsh shutdown painter")
    host.assert_has_gpu()


def test_two_leases(host):
    """The last one that ends returns the GPU."""
    host.run("systemctl start gpu-guest@one.service gpu-guest@two.service")
    host.assert_guest_has_gpu("one", "two", look="dark")
    host.run("systemctl stop gpu-guest@two.service")
    host.assert_guest_has_gpu("one", look="dark")
    host.run("systemctl stop gpu-guest@one.service")
    host.assert_has_gpu()


def test_lease_killed(host):
    host.run("systemctl start gpu-guest@one.service")
    host.run("systemctl kill --signal=KILL gpu-guest@one.service")
    host.assert_has_gpu()


# what the helpers change, and have changed when they end
CHANGED = ("driver", "override", "audio_driver", "framebuffer_console", "module", "records")


def run_twice(host, act):
    """Run a helper, and once more, which changes nothing."""
    host.run(f"/usr/libexec/gpu-guest/{act}")
    before = host.state_of(CHANGED)
    host.run(f"/usr/libexec/gpu-guest/{act}")
    assert host.state_of(CHANGED) == before, act


def test_helpers_by_hand_twice(host):
    """Each act and its inverse, twice in a row, without systemd."""
    host.run("systemctl stop display-manager.service")
    for act in ("vfio-claim --check", "holders-clear --check", "seat-clear", "holders-clear",
                "audio-unbind", "vtcon-unbind", "vfio-claim"):
        run_twice(host, act)
    assert host.state()["driver"] == "vfio-pci"
    for act in ("i915-restore", "vtcon-unbind --restore", "audio-unbind --restore",
                "holders-clear --restore", "desktop-return"):
        run_twice(host, act)
    host.assert_has_gpu()


def test_host_without_a_desktop_gets_none(host):
    host.run("systemctl stop display-manager.service && systemctl set-default multi-user.target")
    host.wait("! pgrep Xorg")
    # "just now" is over once ten seconds have passed
    host.run("until test $(($(cut -d. -f1 /proc/uptime) * 1000000 - "
             "$(systemctl show -P InactiveEnterTimestampMonotonic display-manager.service))) "
             "-gt 11000000; do sleep 1; done")
    host.run("systemctl start gpu-guest@one.service && systemctl stop gpu-guest@one.service")
    host.wait_look("text")
    host.assert_has_gpu(desktop=False)
    assert host.run("systemctl is-active display-manager.service || :") == "inactive"


def test_what_somebody_has_stopped_stays_so(host):
    """Services that are enabled, and what runs once at boot: systemd passes by a target that is there.
    What belongs to the desktop comes back."""
    for name, target, kind in (("stopped", "multi-user", "exec"), ("once", "multi-user", "oneshot"),
                               ("kiosk", "graphical", "exec")):
        command = "/bin/true" if kind == "oneshot" else "/bin/sleep infinity"
        host.write(f"/etc/systemd/system/lab-{name}.service",
                   f"[Service]\nType={kind}\nExecStart={command}\n"
                   f"[Install]\nWantedBy={target}.target\n")
    host.run("systemctl enable lab-stopped lab-once lab-kiosk")
    host.run("systemctl start gpu-guest.target")
    host.assert_guest_has_gpu(look="dark")
    host.run("systemctl stop gpu-guest.target")
    host.assert_has_gpu()
    host.wait("systemctl is-active lab-kiosk.service")
    assert host.run("systemctl is-active graphical.target") == "active"
    ran = "systemctl show -P ExecMainStartTimestampMonotonic lab-stopped.service lab-once.service"
    assert host.run(ran).split() == ["0", "0"]


def test_admins_rule_overrules(host):
    """A rule in /etc says that the GPU is none: there is nothing to hand over."""
    host.write("/etc/udev/rules.d/73-gpu-guest-local.rules",
               'SUBSYSTEM=="pci", KERNEL=="0000:00:02.0", ENV{GPU_GUEST_ROLE}="none"\n')
    host.run("udevadm control --reload && udevadm trigger --settle --subsystem-match=pci")
    result = host.call("systemctl start gpu-guest-check.service")
    assert result.returncode != 0
    assert "udev knows no Intel graphics card" in host.journal("gpu-guest-check.service")
    host.run("systemctl reset-failed gpu-guest-check.service")
    host.assert_has_gpu()
