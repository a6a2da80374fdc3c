# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's package, on a host that has nothing of ours: installed, used, removed, purged."""

import json
from pathlib import Path

import pytest

from lablib.host import GPU, HOOK, SESSION, SNAPSHOT

NEEDRESTART = ("/etc/needrestart", "/etc/needrestart/conf.d", "/etc/needrestart/conf.d/gpu-guest.conf")
BARE = "bare"
INSTALLED = "installed"

pytestmark = pytest.mark.xdist_group("bare")

# what is not on the disk, and what every package's installation changes, or a guest's start
FILES = ("find / -xdev " + " -o ".join(f"-path '{path}' -prune" for path in (
    "/tmp", "/var/tmp", "/home", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg/lock*",
    "/var/lib/dpkg/*-old", "/var/lib/libvirt", "/var/lib/systemd/timers", "/root/.*",
    "/etc/apparmor.d/libvirt",
)) + " -o -print | sort")
ETC = "find /etc -path /etc/apparmor.d/libvirt -prune -o -type f -exec sha256sum {} + | sort"


@pytest.fixture(scope="module")
def with_package(bare_booted, package):
    """The bare lab with the package in /root."""
    host = bare_booted
    host.lab("load", SNAPSHOT)
    host.copy("lab:/root/gpu-guest.deb", package)
    host.files, host.etc = host.run(FILES), host.run(ETC)
    assert {"/etc/fstab", "/usr/bin/virsh"} <= set(host.files.splitlines())
    assert "  /etc/fstab" in host.etc
    host.lab("save", BARE)
    return host


def install(host):
    # libvirt's daemon goes when nobody needs it, and a new one would see the hook anyway
    host.run("virsh list")
    host.run("apt-get -qq install /root/gpu-guest.deb", timeout=300)


@pytest.fixture(scope="module")
def installed_booted(with_package):
    install(with_package)
    with_package.lab("save", INSTALLED)
    return with_package


@pytest.fixture
def installed(installed_booted):
    """The host just after the package was installed."""
    installed_booted.lab("load", INSTALLED)
    yield installed_booted
    assert installed_booted.kernel_trouble() == ""


def status(host):
    return host.call("dpkg-query --show --showformat='${db:Status-Status}' gpu-guest").stdout


def refuses_removal(host):
    """The removal is refused with the unit that says why and what to do; nothing has changed."""
    result = host.call("apt-get -qq remove gpu-guest 2>&1")
    assert result.returncode != 0
    assert "gpu-guest: the host does not have its graphics card" in result.stdout
    assert "with: gpu-guest return" in result.stdout
    assert status(host) == "installed"
    assert host.run("dpkg --audit") == ""
    return result.stdout


def test_nothing_runs_and_nothing_is_enabled(installed):
    assert status(installed) == "installed"
    installed.assert_untouched()
    # "static": nothing to enable
    units = installed.run("systemctl list-unit-files --no-legend 'gpu-guest*'").splitlines()
    assert len(units) == 12
    assert {unit.split()[1] for unit in units} == {"static"}
    added = set(installed.run(FILES).splitlines()) - set(installed.files.splitlines())
    assert {HOOK, "/usr/bin/gpu-guest", "/var/lib/dpkg/info/gpu-guest.prerm"} <= added
    assert not [path for path in added if ".wants/" in path or ".requires/" in path]
    assert installed.run("systemctl get-default") == "graphical.target"
    assert installed.run("systemctl list-units --failed --no-legend") == ""


def test_the_running_system_knows(installed):
    """systemd the units, udev the GPU, libvirt the hook, the journal its catalog."""
    # libvirt's daemon may have ended since
    installed.run("virsh list")
    installed.wait(f"udevadm info /sys/bus/pci/devices/{GPU} | grep -q GPU_GUEST_ROLE=gpu")
    points = {point["id"]: point for point in json.loads(installed.call(
        "gpu-guest check --json").stdout)}
    assert {id_: points[id_]["answer"] for id_ in ("card", "units", "hook")} == \
        dict.fromkeys(("card", "units", "hook"), "yes")
    assert points["hook"]["text"] == "there, and libvirtd has seen it"
    assert "confines libvirtd" in points["confinement"]["text"]
    assert "gpu-guest" in installed.run("journalctl --list-catalog")


def test_hand_over_upgrade_and_refused_removal(installed):
    installed.run("virsh start painter")
    installed.assert_guest_has_gpu("painter")
    pid = installed.run("pgrep -f guest=painter")

    assert "gpu-guest@painter.service" in refuses_removal(installed)
    installed.run("apt-get -qq install --reinstall /root/gpu-guest.deb", timeout=300)
    installed.assert_guest_has_gpu("painter")
    assert installed.run("pgrep -f guest=painter") == pid

    installed.run("virsh destroy painter")
    installed.assert_has_gpu()
    installed.run("apt-get -qq remove gpu-guest")
    assert status(installed) == "config-files"
    installed.assert_has_gpu()


def test_removal_is_refused_without_a_guest_as_well(installed):
    installed.run("systemctl start gpu-guest.target")
    assert "gpu-guest.target" in refuses_removal(installed)
    installed.run("gpu-guest return", timeout=300)
    installed.assert_has_gpu()


def test_remove_and_purge(installed):
    installed.run("virsh start painter")
    installed.assert_guest_has_gpu("painter")
    installed.run("virsh destroy painter")
    installed.assert_has_gpu()
    session = installed.run(SESSION)
    installed.write("/etc/gpu-guest.conf", "GPU_GUEST_UNUSED_SEC=60\n")

    installed.run("apt-get -qq remove gpu-guest")
    installed.wait(f"! udevadm info /sys/bus/pci/devices/{GPU} | grep -q GPU_GUEST_ROLE")
    # what an administrator may have changed is there, and does nothing
    left = set(installed.run(FILES).splitlines()) - set(installed.files.splitlines())
    ours = {path for path in left if not path.startswith("/var/lib/dpkg/")}
    assert ours == {"/etc/gpu-guest.conf", HOOK, str(Path(HOOK).parent), *NEEDRESTART}
    assert installed.run(f"{HOOK} painter prepare begin - </dev/null 2>&1") == ""
    assert installed.run("systemctl list-units --all --no-legend 'gpu-guest*'") == ""
    assert installed.run("journalctl --list-catalog").count("gpu-guest") == 0
    installed.start_and_stop_plain()

    installed.run("apt-get -qq purge gpu-guest")
    assert installed.run(FILES) == installed.files
    assert installed.run(ETC) == installed.etc
    assert installed.run("ls -d /run/gpu-guest 2>&1 || :").endswith("No such file or directory")
    installed.start_and_stop_plain()

    installed.run("systemctl restart libvirtd")
    installed.start_and_stop_plain()
    assert installed.run(SESSION) == session
    assert installed.run("systemctl list-units --failed --no-legend") == ""
    assert installed.look() == "desktop"


def test_a_machine_that_boots_into_the_target_gets_its_desktop_back(installed):
    installed.run("systemctl set-default gpu-guest.target")
    said = installed.run("apt-get -qq remove gpu-guest")
    assert "from now on it does into graphical.target" in said
    assert installed.run("systemctl get-default") == "graphical.target"
    assert installed.run("systemctl show -P LoadState default.target") == "loaded"
