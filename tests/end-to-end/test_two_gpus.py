# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that wants the GPU which the seat does not use: the desktop stays. For the other one, which
the firmware lit first, see test_round_trip.py."""

OTHER = "/sys/bus/pci/devices/0000:01:00.0"


def driver(host):
    return host.run(f"basename $(readlink {OTHER}/driver || echo none)")


def test_desktop_stays(host):
    assert driver(host) == "i915"
    host.run("virsh dumpxml painter >/tmp/other.xml && sed -i '/<uuid>/d; s/<name>painter/<name>other/; "
             r"/<source>/,/<.source>/{s/\(bus=.0x0\)0/\11/; s/0x02/0x00/}' /tmp/other.xml && "
             "virsh define /tmp/other.xml")
    host.run("virsh start other")
    assert driver(host) == "vfio-pci"
    host.wait_look("desktop")
    host.assert_untouched()
    host.run("virsh destroy other")
    assert driver(host) == "i915"
    host.assert_untouched()
