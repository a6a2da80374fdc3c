# SPDX-License-Identifier: LGPL-2.1-or-later
"""One lab for each test process, booted once; every test starts from the same running desktop.

The bundle is laid over the host's root before it boots. GPU_GUEST_BUNDLE names the tree,
GPU_GUEST_PACKAGE Debian's package (both as "lab bundle" makes them); GPU_GUEST_RELEASE and
GPU_GUEST_VARIANT tell which host it is (bookworm, plain). tests/matrix sets them.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab"))
pytest.register_assert_rewrite("lablib.host")

from lablib.host import Host, SNAPSHOT  # noqa: E402
from ordinary_guest import usb_devices  # noqa: E402


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The installed tree."""
    path = os.environ.get("GPU_GUEST_BUNDLE")
    assert path and Path(path).is_dir(), "GPU_GUEST_BUNDLE is not set: tests/matrix does that"
    return Path(path).resolve()


# which of the lab's hosts
RELEASE = os.environ.get("GPU_GUEST_RELEASE", "bookworm")
VARIANT = os.environ.get("GPU_GUEST_VARIANT", "plain")


@pytest.fixture(scope="session")
def worker() -> str:
    """What the labs of this process have in their names."""
    return f"{RELEASE}-{VARIANT}-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


@pytest.fixture(scope="session")
def which() -> list[str]:
    """Options of "lab up" for it."""
    return ["--release", RELEASE, "--variant", VARIANT]


@pytest.fixture(scope="session")
def booted(bundle, worker, which):
    """A lab with the bundle, at its desktop."""
    yield from Host(f"e2e-{worker}", str(bundle)).at_desktop(*which)


@pytest.fixture(scope="session")
def package() -> Path:
    """Debian's package."""
    path = os.environ.get("GPU_GUEST_PACKAGE")
    assert path and Path(path).is_file(), "GPU_GUEST_PACKAGE is not set: tests/matrix does that"
    return Path(path).resolve()


@pytest.fixture(scope="session")
def bare_booted(worker, which):
    """A lab that has nothing of ours, at its desktop, with devices on USB. One is enough for all that
    need it: they are in the group "bare"."""
    yield from Host(f"bare-{worker}").at_desktop(*which, *usb_devices())


@pytest.fixture
def host(booted):
    """The host at its desktop, as it was just after the boot. Whatever a test does, the kernel must
    have had nothing to complain about."""
    booted.lab("load", SNAPSHOT)
    booted.touched = True
    yield booted
    assert booted.kernel_trouble() == ""


@pytest.fixture
def idle_host(booted):
    """The host for what must not change anything, so that it serves one test after the other: none of
    our units has run, the GPU is where it was, and the session is the same."""
    if booted.touched:
        booted.lab("load", SNAPSHOT)
        booted.touched = False
    yield booted
    booted.assert_untouched()


# what tells why the monitor is dark, before the journal, of which a report may be cut short
GRAPHICS = ("readlink /sys/bus/pci/devices/0000:00:02.0/driver; ls /dev/dri; "
            "dmesg | grep -E 'i915|xe |vfio|lab-pci-id|drm' | tail -n 30; "
            "grep -h '(EE)' /var/log/Xorg.*.log")
JOURNAL = "journalctl -b --no-pager -o short-precise -n 120; systemctl list-jobs --no-pager"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails on the host leaves in its report what the host has to say."""
    outcome = yield
    report = outcome.get_result()
    host = next((value for value in item.funcargs.values() if isinstance(value, Host)), None)
    if report.when != "call" or not report.failed or not host:
        return
    for title, command in ("graphics", GRAPHICS), ("journal", JOURNAL):
        try:
            text = host.call(command).stdout
        except Exception as e:  # the host may be gone, which the test's own error tells
            text = f"no answer: {e}"
        report.sections.append((f"the host's {title}", text))
