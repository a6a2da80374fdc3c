# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains other than the one that has the GPU."""

from lablib.host import HOOK, SESSION


def define_second(host):
    host.run("virsh dumpxml --inactive painter | "
             "sed -e s,\\<name\\>painter,\\<name\\>second, -e /uuid/d > /tmp/second.xml && "
             "virsh define /tmp/second.xml")


def test_domain_without_the_gpu_changes_nothing(host):
    host.start_and_stop_plain()
    assert host.run(SESSION) == host.session
    host.assert_has_gpu()

    host.run("virsh start plain && virsh start painter")
    host.assert_guest_has_gpu("painter")
    assert host.run("virsh domstate plain") == "running"
    host.run("virsh destroy plain")
    host.start_and_stop_plain()
    host.assert_guest_has_gpu("painter")

    host.run("virsh start plain && virsh destroy painter")
    host.assert_has_gpu()
    assert host.run("virsh domstate plain") == "running"
    host.run("virsh destroy plain")
    host.assert_has_gpu()
    # what libvirt's hook takes for a lease
    assert host.run("ls -d /run/gpu-guest@* 2>/dev/null || :") == ""


def test_domain_without_the_gpu_runs_none_of_our_units(idle_host):
    idle_host.start_and_stop_plain()
    assert idle_host.journal() == ""


def test_second_guest_is_refused_and_the_first_does_not_notice(host):
    define_second(host)
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    pid = host.run("pgrep -f guest=painter")

    result = host.call("virsh start second")
    assert result.returncode != 0
    assert "with a running guest already (qemu-system-x86" in result.stderr

    host.run("systemctl reset-failed gpu-guest-check.service")
    host.assert_guest_has_gpu("painter")
    assert host.run("pgrep -f guest=painter") == pid
    host.run("virsh destroy painter")
    host.assert_has_gpu()
    host.run("virsh start second")
    host.assert_guest_has_gpu("second")
    host.run("virsh destroy second")
    host.assert_has_gpu()


def test_second_lease_does_not_take_the_first_ones(host):
    """What libvirt does when only itself refuses the second one: prepare, release."""
    define_second(host)
    host.run("virsh start painter")
    host.run("systemctl start gpu-guest@second.service")
    host.run(f"{HOOK} second release end < /tmp/second.xml")
    host.wait("systemctl is-active gpu-guest@second.service | grep -qxE 'inactive|failed'")
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.assert_has_gpu()
