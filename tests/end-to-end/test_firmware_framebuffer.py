# SPDX-License-Identifier: LGPL-2.1-or-later
"""A UEFI host that boots with the GPU at vfio-pci: only the firmware's framebuffer was ever on it."""

BOOT = "systemd.unit=gpu-guest.target modprobe.blacklist=i915"


def test_boot_into_the_target(host):
    host.lab("reboot", "--append", BOOT, timeout=900)
    assert host.run("dmesg | grep -c 'efifb: framebuffer at'") == "1"
    assert host.run("dmesg | grep -c 'Initialized i915' || :") == "0"
    host.assert_guest_has_gpu(look="dark")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("virsh shutdown painter")
    host.wait("! virsh domstate painter | grep -q running")
    host.run("systemctl start graphical.target")
    host.assert_has_gpu()
