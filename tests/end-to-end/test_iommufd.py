# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that has the GPU by a character device of its own and /dev/iommu, not by its group's."""

import re

from lablib.host import WITH_BAD_OPTION

WITH_IOMMUFD = r"""virsh dumpxml painter | sed "s|<source>|<driver iommufd='yes'/>&|" >/run/painter.xml
virsh define /run/painter.xml"""
QEMU = "pidof qemu-system-x86_64"


def test_there_and_back(host):
    host.run(WITH_IOMMUFD)
    host.run("virsh start painter", timeout=300)
    host.assert_guest_has_gpu("painter")
    pid = host.run(QEMU).strip()
    files = host.run(f"ls -l /proc/{pid}/fd")
    assert "/dev/iommu" in files and "/dev/vfio/devices/vfio" in files, files
    assert not re.search(r"/dev/vfio/\d", files), files
    assert f"guest painter, PID {pid}" in host.run("gpu-guest status")
    # the lease has seen it as well
    host.wait(f"journalctl -b -o cat -u gpu-guest@painter.service | grep 'is with .* PID {pid}'")

    host.run("virsh destroy painter")
    host.assert_has_gpu()


def test_guest_that_does_not_start(host):
    """libvirt has the device open already when QEMU fails."""
    host.run(WITH_IOMMUFD)
    host.run(WITH_BAD_OPTION)
    result = host.call("virsh start painter", timeout=300)
    assert result.returncode != 0 and "no-such-option" in result.stderr
    host.assert_has_gpu()


def test_nobody_tells_of_its_end(host):
    """The lease sees it: who had the device has ended."""
    host.run(WITH_IOMMUFD)
    host.run("virsh start painter", timeout=300)
    host.assert_guest_has_gpu("painter")
    host.run("systemctl stop libvirtd.service 'libvirtd*.socket' && pkill -KILL -f '[g]uest=painter'")
    host.assert_has_gpu()
