# SPDX-License-Identifier: LGPL-2.1-or-later
"""A UEFI host that boots with the GPU at vfio-pci: only the firmware's framebuffer was ever on it."""

BOOT = "systemd.unit=gpu-guest.target modprobe.blacklist=i915"


def test_boot_into_the_target(host):
    host.lab("reboot", "--append", BOOT, timeout=900)
    # which of the two is a matter of the kernel's configuration (CONFIG_SYSFB_SIMPLEFB)
    drivers = host.run("dmesg | grep -oE 'efifb: framebuffer at|Initialized simpledrm'").splitlines()
    assert len(drivers) == 1
    assert host.run("dmesg | grep -c 'Initialized i915' || :") == "0"
    host.wait("systemctl is-active gpu-guest.target", timeout=120)
    # the console that simpledrm had stays, without a framebuffer
    console = "unbound" if "simpledrm" in drivers[0] else "none"
    assert host.run("cat /proc/fb") == ""
    host.assert_guest_has_gpu(look="dark", console=console)
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter", console=console)
    host.run("virsh shutdown painter")
    host.wait("! virsh domstate painter | grep -q running")
    host.run("systemctl start graphical.target")
    host.assert_has_gpu()
