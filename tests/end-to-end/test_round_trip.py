# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every kind of host has to stand: there and back, by libvirt and by hand, and a step that fails."""

from lablib.host import HOOK


def test_guest(host):
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("virsh shutdown painter")
    host.assert_has_gpu()


def test_audio_controller_goes_along(host):
    """libvirt gives it to the guest and takes it back, before the GPU is the host's again."""
    host.run("virt-xml painter --add-device --hostdev 0000:00:1b.0", timeout=300)
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter", audio="vfio-pci")
    host.run("virsh shutdown painter")
    host.assert_has_gpu()


def test_by_hand(host):
    """The desktop is asked for, where there was one."""
    host.run("systemctl start gpu-guest.target")
    host.assert_guest_has_gpu(look="dark")
    host.run("gpu-guest return", timeout=300)
    host.assert_has_gpu()


def test_step_that_fails(host):
    """The last one: all that was done before it is undone, and the hook says why."""
    host.write("/run/systemd/system/gpu-guest-vfio.service.d/fail.conf",
               "[Service]\nExecStart=\nExecStart=/bin/false\n")
    host.run("systemctl daemon-reload")
    result = host.call(f"{HOOK} painter prepare begin </dev/null")
    assert result.returncode == 1
    assert "gpu-guest-vfio.service (exit-code)" in result.stderr
    host.run(f"{HOOK} painter release end </dev/null")
    host.run("systemctl reset-failed gpu-guest-vfio.service")
    host.assert_has_gpu()
