# SPDX-License-Identifier: LGPL-2.1-or-later
"""The README from top to bottom, as a newcomer goes through it, on a host that has nothing of ours: from
the package to the guest on the monitor and back.

Every command is taken out of the text: a block of lines that are indented by four, below its heading, or
what stands between backticks. They are typed as the user lab, who has sudo, except where the README says
that one is root. A block that is in no test is found by test_every_command_is_run; how the package is made,
and the way without one, is tests/install's.
"""

import itertools
import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import readme  # noqa: E402
from lablib.host import SNAPSHOT  # noqa: E402
from ordinary_guest import DOMAIN, ORDINARY, PAINTER, SLOW, USB_IDS  # noqa: E402

TREE = "/home/lab/gpu-guest"

PACKAGE = "Install"
CHECK = "Will it work here?"
WHICH = "Another GPU than the one it picks"
GUEST = "Set the guest up"
WAYS = "Three ways in"
TRY = "Try it over SSH first"
BACK = "Get back"

# what is typed where the packages are built (tests/install), and the tests run
ELSEWHERE = {
    "sudo tests/install-packages packaging/packages",
    "packaging/build --only 'debian builds' --output build/packages",
    "tests/demo", "tests/run", "tests/matrix --only 'gnome|uefi'",
    "tests/lab/faults --bundle TREE --only holder",
}
# the way without a package (tests/install)
WITHOUT_PACKAGE = {
    "sudo apt install meson gcc pkg-config libudev-dev libsystemd-dev libkmod-dev libxml2-dev "
    "libjson-c-dev systemd udev",
    "meson setup build", "sudo meson install -C build",
}

pytestmark = pytest.mark.xdist_group("bare")


@pytest.fixture(scope="module")
def blocks():
    """The README's commands by the heading above them."""
    return {title: list(itertools.chain(*found)) for title, found in readme.blocks().items()}


@pytest.fixture
def newcomer(bare_booted, package):
    """A host without anything of ours, an ordinary guest in it, and the package where it was built."""
    host = bare_booted
    host.lab("load", SNAPSHOT)
    host.run(f"{ORDINARY}{PAINTER} >/root/ordinary.xml && virsh define /root/ordinary.xml",
             timeout=SLOW)
    host.run(f"mkdir -p {TREE}/build/packages")
    host.copy(f"lab:{TREE}/build/packages", package)
    host.run(f"chown -R lab: {TREE}")
    yield host
    assert host.kernel_trouble() == ""


def type_in(host, command, user="lab", status=0):
    """What a command prints, whose exit status has to be this one."""
    result = host.call(f"cd {TREE}; {command}", timeout=SLOW, user=user)
    assert result.returncode == status, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout


def test_every_command_is_run(blocks):
    """What the tests below take is all that there is."""
    run = {PACKAGE, CHECK, WHICH, GUEST, TRY, BACK}
    assert {title for title, commands in blocks.items() if set(commands) - ELSEWHERE} == run
    assert ELSEWHERE | WITHOUT_PACKAGE <= {c for commands in blocks.values() for c in commands}


def test_from_the_package_to_the_guest_and_back(newcomer, blocks):
    install = [c for c in blocks[PACKAGE] if c not in ELSEWHERE | WITHOUT_PACKAGE]
    assert install[0].startswith("sudo apt install ./build/packages/")
    # apt asks before it takes what the host has not, which is nothing
    type_in(newcomer, install[0])
    # the package has done what is written for an installation without one; doing it again is harmless
    assert len(install) == 6
    for command in install[1:]:
        type_in(newcomer, command)
    newcomer.assert_untouched()

    machine, guest = blocks[CHECK]
    assert "vfio-pci" in type_in(newcomer, machine)
    assert "SPICE" in type_in(newcomer, guest, status=1)
    assert "GPU_GUEST_ROLE=gpu" in type_in(newcomer, *blocks[WHICH])

    # "as root, with virt-xml"; the ids are those of this machine's keyboard and mouse
    for command in blocks[GUEST]:
        for old, new in USB_IDS.items():
            command = command.replace(old, new)
        type_in(newcomer, command, user="root")
    type_in(newcomer, guest)

    ways = readme.quoted(WAYS)
    start = f"sudo virsh start {DOMAIN}"
    assert start in ways
    type_in(newcomer, start)
    newcomer.assert_guest_has_gpu(DOMAIN)
    # "its ACPI power button is enough"
    shutdown = f"sudo virsh shutdown {DOMAIN}"
    assert shutdown in readme.quoted(BACK)
    type_in(newcomer, shutdown)
    newcomer.assert_has_gpu()

    by_hand = [c for c in ways if c.startswith("sudo systemctl start ")]
    assert sorted(by_hand) == ["sudo systemctl start gpu-guest.target",
                               "sudo systemctl start graphical.target"]
    type_in(newcomer, "sudo systemctl start gpu-guest.target")
    newcomer.assert_guest_has_gpu(look="dark")
    type_in(newcomer, "sudo systemctl start graphical.target")
    newcomer.assert_has_gpu()

    # and away with it
    purge = next(c for c in readme.quoted(PACKAGE) if "purge" in c)
    assert purge == "sudo apt purge gpu-guest"
    type_in(newcomer, f"{purge} --yes")
    assert newcomer.look() == "desktop"


def test_try_it_over_ssh_and_get_back(newcomer, blocks):
    type_in(newcomer, next(c for c in blocks[PACKAGE] if "./build/packages/" in c))
    for command in blocks[GUEST]:
        for old, new in USB_IDS.items():
            command = command.replace(old, new)
        type_in(newcomer, command, user="root")

    # "be root there"
    check, try_it, prepare, release = blocks[TRY]
    type_in(newcomer, check, user="root")
    assert try_it == "gpu-guest try"
    type_in(newcomer, try_it, user="root")
    newcomer.assert_has_gpu()
    # "with nothing on standard input"
    type_in(newcomer, prepare, user="root")
    newcomer.assert_guest_has_gpu(DOMAIN, look="dark")
    type_in(newcomer, release, user="root")
    newcomer.assert_has_gpu()

    back, status, journal, of_the_guest, report = blocks[BACK]
    type_in(newcomer, f"sudo virsh start {DOMAIN}")
    newcomer.assert_guest_has_gpu(DOMAIN)
    assert DOMAIN in type_in(newcomer, status)
    type_in(newcomer, back)
    newcomer.assert_has_gpu()
    # the user lab may not read the system's journal, as users of Debian's group adm may
    assert "Defined-By: gpu-guest" in type_in(newcomer, journal, user="root")
    assert DOMAIN in type_in(newcomer, of_the_guest, user="root")
    type_in(newcomer, report)
    text = newcomer.run(f"cat {TREE}/{shlex.quote(report.rpartition('>')[2])}")
    assert "gpu-guest-vfio.service" in text and "IOMMU" in text
