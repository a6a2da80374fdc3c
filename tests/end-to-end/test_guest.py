# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt starts a guest that has the GPU, and the guest ends, in every way that it can."""

import pytest

from lablib.host import HOOK


def shut_down_inside(host):
    """The guest's own clock runs out; it had seconds=... on its command line."""
    host.wait("! virsh domstate painter | grep -q running", timeout=120)


def virsh_shutdown(host):
    host.run("virsh shutdown painter")
    host.wait("! virsh domstate painter | grep -q running")


def virsh_destroy(host):
    host.run("virsh destroy painter")


def kill_qemu(host):
    host.run("pkill -KILL -f 'guest=painter'")


@pytest.mark.parametrize("end", [shut_down_inside, virsh_shutdown, virsh_destroy, kill_qemu])
def test_guest_gets_the_gpu_and_the_host_gets_it_back(host, end):
    if end is shut_down_inside:
        host.run("virsh dumpxml painter | sed s/seconds=600/seconds=40/ > /tmp/p.xml && "
                 "virsh define /tmp/p.xml")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    end(host)
    host.assert_has_gpu()


def test_no_user_can_hold_the_lock(host):
    """Of the records' directory; what is in it, everybody may read."""
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    assert "Permission denied" in host.call("flock /run/gpu-guest true", user="lab").stderr
    host.run("cat /run/gpu-guest/gpu", user="lab")
    host.run("virsh destroy painter")
    host.assert_has_gpu()


def test_again_and_again(host):
    for _ in range(2):
        host.run("virsh start painter")
        host.assert_guest_has_gpu("painter")
        host.run("virsh destroy painter")
        host.assert_has_gpu()


def test_start_again_while_the_gpu_is_still_on_its_way_back(host):
    host.run("virsh start painter")
    host.run("virsh destroy painter && virsh start painter")
    host.wait_look("guest")
    host.forget_cut_login()
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.assert_has_gpu()


def test_start_typed_in_the_session_that_ends(host):
    """As users of virt-manager do: the client dies with the session, the start goes on."""
    host.lab("type", "exec virsh -c qemu:///system start painter\n")
    host.assert_guest_has_gpu("painter")
    assert host.call("pgrep -u lab virsh").returncode == 1
    host.run("virsh destroy painter")
    host.assert_has_gpu()


def test_managed_no(host):
    host.run("virsh dumpxml painter | sed s/managed=.yes./managed=\\'no\\'/ > /tmp/p.xml && "
             "virsh define /tmp/p.xml")
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.assert_has_gpu()


def test_libvirtd_restarts_under_the_guest(host):
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("systemctl restart libvirtd && virsh list")
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.assert_has_gpu()


def test_systemd_is_upgraded_under_the_hand_over(host):
    """Its packages have it executed anew, while libvirt's hook waits for it."""
    host.run("""
        virsh start painter &
        until systemctl is-active --quiet gpu-guest-desktop.service; do kill -0 $! || exit 1; sleep 0.1; done
        last=$(systemctl is-active gpu-guest-vfio.service)
        systemctl daemon-reexec
        wait $! && test "$last" != active""")
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.assert_has_gpu()


def test_hook_by_hand(host):
    """As people try it over SSH: a defined domain, nothing on standard input."""
    host.run(f"{HOOK} painter prepare begin < /dev/null")
    host.assert_guest_has_gpu("painter", look="dark")
    host.run(f"{HOOK} painter reconnect begin < /dev/null")
    host.run(f"{HOOK} painter release end < /dev/null")
    host.assert_has_gpu()


def test_sleep_is_refused_in_the_domains_name(host):
    host.run("virsh start painter")
    refused = host.call("systemctl suspend --check-inhibitors=yes")
    assert refused.returncode != 0
    assert "painter" in refused.stdout + refused.stderr
    host.assert_guest_has_gpu("painter")
    host.run("virsh destroy painter")
    host.assert_has_gpu()
