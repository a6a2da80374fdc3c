# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ways back without a screen: nobody uses the GPU, the guest does not listen, time is up."""

import pytest

from lablib.host import GPU

CONF = "/etc/gpu-guest.conf"


def test_nobody_uses_it(host):
    host.write(CONF, "GPU_GUEST_UNUSED_SEC=5\n")
    host.run("systemctl start gpu-guest.target")
    host.assert_has_gpu()
    assert "No guest has used the graphics card for 5 s" in host.journal("gpu-guest-watch.service")


def test_lease_that_nobody_uses(host):
    host.write(CONF, "GPU_GUEST_UNUSED_SEC=5\n")
    host.run("/etc/libvirt/hooks/qemu.d/gpu-guest painter prepare begin </dev/null")
    host.assert_has_gpu()
    assert "No guest has used the graphics card for 5 s" in host.journal("gpu-guest@painter.service")


def test_guest_that_does_not_listen(host):
    """Without a kernel, the firmware finds nothing to boot, and heeds no power button."""
    host.write(CONF, "GPU_GUEST_SHUTDOWN_SEC=5\n")
    host.run("virsh dumpxml painter | sed '/<kernel>/d; /<cmdline>/d' > /tmp/p.xml && "
             "virsh define /tmp/p.xml")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter", look="dark")
    assert host.state()["vfio_users"] == "qemu-system-x86"
    host.run("systemctl start graphical.target")
    host.assert_has_gpu()
    assert host.run("virsh domstate painter") == "shut off"
    assert "has not shut down within 5 s" in host.journal("gpu-guest@painter.service")


def test_guest_that_takes_its_time(host):
    """Where an agent in the guest is asked, virsh answers only when that is off. This one is asked
    after twenty seconds, and virsh waits for a minute."""
    host.write("/usr/local/bin/virsh",
               '#!/bin/sh\n'
               'case "$*" in *" shutdown "*) (sleep 20; /usr/bin/virsh "$@") & sleep 60 ;; esac\n'
               'exec /usr/bin/virsh "$@"\n')
    host.run("chmod +x /usr/local/bin/virsh")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("systemctl start graphical.target")
    host.assert_has_gpu()
    said = host.journal("gpu-guest@painter.service")
    assert "Asking the guest to shut down" in said
    assert "cannot ask" not in said and "stop" not in said


def test_paused_guest(host):
    """It cannot be asked, so it is stopped at once."""
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("virsh suspend painter")
    host.run("systemctl start graphical.target")
    host.assert_has_gpu()
    assert host.run("virsh domstate painter") == "shut off"
    assert "libvirt cannot ask the guest" in host.journal("gpu-guest@painter.service")


def test_program_that_lets_go_and_runs_on(host):
    """The group's user is no guest of libvirt's, and does not end: it only closes the group."""
    host.run("systemctl start gpu-guest.target")
    host.run(f"group=$(basename $(readlink /sys/bus/pci/devices/{GPU}/iommu_group)) && "
             "systemd-run --quiet --unit=other sh -c \"exec 3<>/dev/vfio/$group; trap 'exec 3>&-' USR1; "
             "sleep infinity 3>&- & while :; do wait; done\"")
    host.wait("ls -l /proc/$(systemctl show -P MainPID other)/fd | grep -q /dev/vfio/")
    host.run("systemctl --no-block start graphical.target")
    host.wait("systemctl show -P StatusText gpu-guest-vfio.service | grep -q 'Waiting for the guest'")
    assert host.state()["driver"] == "vfio-pci"
    host.run("systemctl kill --kill-whom=main --signal=USR1 other")
    host.assert_has_gpu()
    host.run("systemctl is-active other && systemctl stop other")


def test_trial(host):
    host.run("systemctl start gpu-guest-trial@5.service")
    host.assert_has_gpu()
    journal = host.journal("gpu-guest-vfio.service")
    assert "ready for a guest" in journal and "is back" in journal


def hostdev(kind, source):
    return f"<hostdev mode='subsystem' type='{kind}' managed='yes'><source>{source}</source></hostdev>"


@pytest.mark.parametrize("device, reason", [
    (hostdev("pci", "<address domain='0' bus='0' slot='0x09' function='0x0'/>"),
     "0000:00:09.0 as well, which this host does not have"),
    (hostdev("pci", "<address domain='0' bus='0' slot='0x1f' function='0x2'/>"),
     "shares its IOMMU group with 0000:00:1f.0"),
    (hostdev("usb", "<vendor id='0x046d'/><product id='0xc31c'/>"),
     "046d:c31c as well, which is not plugged in"),
    ("<disk type='file' device='cdrom'><source file='/root/deleted.iso'/><target dev='sda'/></disk>",
     "/root/deleted.iso, and there is no such file"),
], ids=["no such PCI device", "IOMMU group", "USB", "disk image"])
def test_domain_wants_what_cannot_be(idle_host, device, reason):
    host = idle_host
    host.run(f"virsh dumpxml --inactive painter > /tmp/painter.xml && "
             f"sed \"s|<devices>|<devices>{device}|\" /tmp/painter.xml > /tmp/more.xml && "
             "virsh define /tmp/more.xml")
    result = host.call("virsh start painter")
    host.run("virsh define /tmp/painter.xml")
    assert result.returncode != 0
    assert reason in result.stderr
