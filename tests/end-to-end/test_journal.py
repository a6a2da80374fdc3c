# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person finds in the journal: the reason, its explanation, and all of one guest."""

import re

CONF = "/etc/gpu-guest.conf"


def ask(host, command):
    """What journalctl says, with all that was said before."""
    return host.run(f"journalctl --sync && {command} --no-pager")


def test_refusal_is_explained(host):
    """By the command that virsh names."""
    host.write(CONF, "GPU_GUEST_HOLDERS=refuse\n")
    host.run("systemd-run --unit=media sh -c 'exec 3</dev/dri/card0; exec sleep infinity'")
    pid = host.run("systemctl show -P MainPID media.service")
    host.wait(f"test -e /proc/{pid}/fd/3")
    result = host.call("virsh start painter")
    assert result.returncode != 0
    assert "In the way: sleep" in result.stderr

    command = re.search("^More about it: (?:sudo )?(journalctl .*)$", result.stderr, re.MULTILINE)[1]
    journal = ask(host, command)
    assert f"In the way: sleep (PID {pid}, media.service)" in journal
    assert "Subject: A program uses the graphics card, and a setting protects it" in journal
    assert "The host: it keeps the card." in journal
    assert f"    systemctl status {pid}\n" in journal
    assert "In the way: sleep" in ask(
        host, f"journalctl -b GPU_GUEST_HOLDER_PID={pid} GPU_GUEST_HOLDER_UNIT=media.service "
              "GPU_GUEST_DEVICE=0000:00:02.0")

    host.run("systemctl stop media.service && systemctl reset-failed gpu-guest-check.service")
    host.assert_has_gpu()


def test_refusal_by_the_domain_is_explained(host):
    """What the hook's own program says, runs in libvirt's unit, and is found with ours."""
    hostdev = ("<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' "
               "bus='0' slot='0x09' function='0x0'/></source></hostdev>")
    host.run(f"virsh dumpxml --inactive painter | sed \"s|<devices>|<devices>{hostdev}|\" "
             "> /tmp/p.xml && virsh define /tmp/p.xml")
    assert host.call("virsh start painter").returncode != 0
    for match in "-u 'gpu-guest*'", "GPU_GUEST_DOMAIN=painter":
        journal = ask(host, f"journalctl -b -x {match}")
        assert "The domain wants PCI device 0000:00:09.0 as well" in journal
        assert "Guest painter is to have the graphics card and PCI device" in journal
        assert "    sudo virsh edit 'painter'" in journal
    host.assert_has_gpu()


def test_dark_screen_is_explained(host):
    """The worst that can happen: the driver does not take the GPU back, whatever is tried."""
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.write("/etc/modprobe.d/fail.conf", "options i915 fail_probe=1000\n")
    host.run("virsh destroy painter")
    host.wait("systemctl is-failed gpu-guest-desktop.service", timeout=300)
    journal = ask(host, "journalctl -b -x -u 'gpu-guest*'")
    for subject in ("The graphics card is ready for a guest",
                    "The graphics driver has not taken the card back, and is asked again",
                    "The graphics card is not back",
                    "The desktop is not started because there is no screen"):
        assert f" Subject: {subject}\n" in journal
    assert "Graphics card 0000:00:02.0 was to go back to the host" in journal


def test_all_of_one_guest(host):
    """The lease's lines name it, whichever of the lease's programs says them."""
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("systemctl start graphical.target")
    host.assert_has_gpu()
    journal = ask(host, "journalctl -b GPU_GUEST_DOMAIN=painter")
    assert "The graphics card is with qemu-system-x86" in journal  # guest-watch
    assert "Asking the guest to shut down" in journal  # guest-shutdown
    assert "is ready for a guest" not in journal  # whichever guest that will be
