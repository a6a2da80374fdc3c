# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that starts while the host still boots, behind a splash screen."""

import pytest


def autostart(host):
    host.run("virsh autostart painter")
    return []


def target(_host):
    return ["--append", "systemd.unit=gpu-guest.target"]


def rc_local(host):
    """The end of the splash screen waits for it."""
    host.run("printf '#!/bin/sh\nvirsh start painter\n' >/etc/rc.local && chmod +x /etc/rc.local")
    return []


@pytest.mark.parametrize("way", [autostart, rc_local, target])
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
    # it is no service that was stopped and starts again
    assert "plymouth" not in host.journal("gpu-guest-seat.service", "gpu-guest-resume.service")
    assert host.call("pgrep plymouthd").returncode == 1


def test_splash_screen_is_ended(host):
    """One that no display manager has replaced."""
    host.run("systemctl stop lightdm.service && systemctl restart plymouth-start.service && plymouth --ping")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    assert "Ending the splash screen." in host.journal("gpu-guest-seat.service")
    host.run("virsh destroy painter")
    host.assert_has_gpu()
