# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host boots and goes down, with the GPU at a guest."""

import time

from lablib.host import console_trouble

# how much longer than another time a host under emulation may take
SPREAD = 15


def wait_off(host, timeout=240):
    deadline = time.monotonic() + timeout
    while host.machine.pid():
        assert time.monotonic() < deadline, f"still on after {timeout} s"
        time.sleep(0.2)


def time_power_off(host):
    """Seconds until the machine is off, and what its console said meanwhile."""
    seen = len(host.lab("log").stdout)
    start = time.monotonic()
    host.call("systemctl --no-block poweroff")
    wait_off(host)
    return time.monotonic() - start, host.lab("log").stdout[seen:]


def test_power_off_with_a_guest(host):
    """As fast as with a guest that does not have the GPU, which the host has to shut down as well."""
    host.run("virsh start plain")
    without, _ = time_power_off(host)

    host.lab("load", "desktop")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    with_gpu, console = time_power_off(host)

    print(f"power-off with a guest: {without:.1f} s, and with the GPU at it: {with_gpu:.1f} s")
    assert console_trouble(console) == []
    assert "Failed to" not in console
    assert with_gpu < without + SPREAD
    host.lab("load", "desktop")


def test_reboot_with_a_guest(host):
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    seen = len(host.lab("log").stdout)
    before = host.run("cat /proc/sys/kernel/random/boot_id")
    host.call("systemctl --no-block reboot")
    host.wait(f"test $(cat /proc/sys/kernel/random/boot_id) != {before}", timeout=300)
    console = host.lab("log").stdout[seen:]
    assert console_trouble(console) == []
    assert host.kernel_trouble_before() == ""
    host.wait("systemctl is-system-running --wait", timeout=240)
    host.assert_has_gpu()


def test_boot_into_the_target(host):
    host.lab("reboot", "--root", host.bundle, "--append", "systemd.unit=gpu-guest.target",
             timeout=900)
    host.assert_guest_has_gpu(look="dark")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.run("systemctl start graphical.target")
    host.assert_has_gpu()


def test_boot_with_an_autostart_domain(host):
    host.run("virsh autostart painter")
    host.lab("reboot", "--root", host.bundle, timeout=900)
    host.wait_look("guest")
    host.forget_cut_login()
    host.assert_guest_has_gpu("painter")
    assert host.run("systemctl is-active display-manager.service || :") == "inactive"
    host.run("virsh shutdown painter")
    host.assert_has_gpu()


def test_boot_with_an_autostart_domain_that_fails(host):
    host.run("virsh dumpxml painter | sed 's|images/painter|images/missing|' > /tmp/p.xml && "
             "virsh define /tmp/p.xml && virsh autostart painter")
    host.lab("reboot", "--root", host.bundle, timeout=900)
    # it may have been there before the GPU was taken
    host.wait("journalctl -b -o cat -u gpu-guest-desktop.service | grep -q 'The desktop comes back'", 180)
    host.wait_look("desktop")
    host.forget_cut_login()
    host.assert_has_gpu()
    assert "Taking the graphics card from i915." in host.journal("gpu-guest-vfio.service")
