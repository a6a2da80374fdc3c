# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that starts while the host still boots, behind a splash screen."""

import pytest


def autostart(host):
    host.run("virsh autostart painter")
    return []


def target(_host):
    return ["--append", "systemd.unit=gpu-guest.target"]


@pytest.mark.parametrize("way", [autostart, target])
def test_boot(host, way):
    host.lab("reboot", *way(host), timeout=900)
    if way is target:
        host.run("virsh start painter")
    host.wait_look("guest")
    host.forget_cut_login()
    host.assert_guest_has_gpu("painter")
    assert host.call("pgrep plymouthd").returncode == 1
    host.run("virsh destroy painter")
    if way is target:
        host.run("systemctl start graphical.target")
    host.assert_has_gpu()
    # it had its time
    assert "plymouth" not in host.journal("gpu-guest-seat.service", "gpu-guest-resume.service")
    assert host.call("pgrep plymouthd").returncode == 1
