# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each step made to fail: the start is refused with the reason, and the desktop is back by itself."""

import pytest

from lablib.host import SESSION, STEPS, WITH_BAD_OPTION

# The anchor's start cannot fail, so it is not among them
FAILING = [step for step in STEPS if step != "desktop"]

# What becomes of a step's ExecStart=: it fails before it has done anything, after it has done
# everything, or is killed without a chance to clean up
FAULTS = {
    "before": "ExecStart=\nExecStart=/bin/sh -c 'systemd-notify --status=\"no luck today\"; exit 1'\n",
    "after": "ExecStartPost=/bin/sh -c 'systemd-notify --status=\"no luck today\"; exit 1'\n",
    "killed": "ExecStartPost=/bin/sh -c 'kill -KILL $$$$'\n",
}


def break_step(host, step, fault):
    host.write(f"/run/systemd/system/gpu-guest-{step}.service.d/fault.conf",
               "[Service]\nNotifyAccess=all\n" + FAULTS[fault])
    host.run("systemctl daemon-reload")


def assert_refused(host, reason):
    result = host.call("virsh start painter")
    assert result.returncode != 0
    assert reason in result.stderr
    host.wait_look("desktop")


def assert_failed(host, *units):
    """These units have failed, and nothing else is other than it was."""
    assert host.state()["failed"] == " ".join(sorted(units))
    host.run("systemctl reset-failed")
    host.assert_has_gpu()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", FAILING)
def test_step_fails(host, step, fault):
    break_step(host, step, fault)
    assert_refused(host, f"gpu-guest-{step}.service" if fault == "killed" else "no luck today")
    assert_failed(host, f"gpu-guest-{step}.service")


def test_anchor_fails_after_its_start(host):
    break_step(host, "desktop", "after")
    assert_refused(host, "no luck today")
    assert_failed(host, "gpu-guest-desktop.service")


def test_step_fails_by_hand(host):
    break_step(host, "vfio", "after")
    assert host.call("systemctl start gpu-guest.target").returncode == 1
    host.wait_look("desktop")
    assert_failed(host, "gpu-guest-vfio.service")


def test_guest_that_does_not_start(host):
    """QEMU fails when the GPU is with vfio-pci already."""
    host.run(WITH_BAD_OPTION)
    assert_refused(host, "no-such-option")
    host.assert_has_gpu()


def test_failed_step_is_not_in_the_way(host):
    """The next start finds failed units, and works."""
    break_step(host, "vfio", "killed")
    assert_refused(host, "gpu-guest-vfio.service")
    host.run("rm -r /run/systemd/system/gpu-guest-vfio.service.d && systemctl daemon-reload")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.assert_has_gpu()


def test_refused_while_the_desktop_still_runs(host):
    """No vfio-pci on this host: the check says so, and nothing was touched."""
    host.run("modprobe -r vfio_pci; mv $(modinfo -n vfio_pci) /root/ && depmod")
    result = host.call("virsh start painter")
    assert result.returncode != 0
    assert "This kernel has no vfio-pci driver" in result.stderr
    assert host.run(SESSION) == host.session
    assert host.run("journalctl -b -o cat -u gpu-guest-desktop.service") == ""
    host.run("mv /root/vfio-pci.ko* /lib/modules/$(uname -r)/kernel/drivers/vfio/pci/ && depmod")
    assert_failed(host, "gpu-guest-check.service")


def test_the_guest_itself_fails_to_start(host):
    """The hand-over works, and then QEMU does not."""
    host.run("virsh dumpxml painter | sed 's|images/painter|images/missing|' > /tmp/p.xml && "
             "virsh define /tmp/p.xml")
    result = host.call("virsh start painter")
    assert result.returncode != 0
    assert "missing" in result.stderr
    host.assert_has_gpu()


INVERSES = {"desktop": "desktop-return", "audio": "audio-unbind --restore",
            "vtcon": "vtcon-unbind --restore", "vfio": "i915-restore"}


def test_every_inverse_is_killed(host):
    """Each of them before it has done anything, in one and the same return."""
    for step, inverse in INVERSES.items():
        host.write(f"/run/systemd/system/gpu-guest-{step}.service.d/fault.conf",
                   "[Service]\nExecStopPost=\nExecStopPost=-/bin/sh -c 'kill -KILL $$$$'\n"
                   f"ExecStopPost=/usr/libexec/gpu-guest/{inverse}\n")
        # as the unit has it, but for what is killed
        assert f"ExecStopPost=-/usr/libexec/gpu-guest/{inverse}\n" in \
            host.run(f"systemctl cat gpu-guest-{step}.service")
    host.run("systemctl daemon-reload")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.assert_has_gpu()
