# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults that take the machine down, and bring it up again."""

import subprocess
import time
from typing import List

from ..common import LabError
from ..host import Host, console_trouble

# a guest that has just been started hears no power button, and libvirt-guests waits 300 s for it
DOWN_TIMEOUT = 420
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def is_up(host: Host) -> bool:
    """Whether its QEMU runs."""
    return host.machine.pid() is not None


def go_down(host: Host, verb: str, release: str) -> None:
    """Ask for it, and let what is held go on. The session of ssh may be gone before its second command,
    so that a service does both, which stays until all others are gone."""
    try:
        host.call("systemd-run --quiet --property=DefaultDependencies=no "
                  f"sh -c 'systemctl --no-block {verb}; {release}'", timeout=60)
    except subprocess.TimeoutExpired:
        pass  # a host that goes down may take the answer with it


def console_since(host: Host, seen: int) -> List[str]:
    """What the console has said since then that it should not have."""
    return [f"the console says: {line}" for line in console_trouble(host.lab("log").stdout[seen:])]


def kernel_before(host: Host) -> List[str]:
    """What the kernel has complained about in the boot that has ended."""
    trouble = host.kernel_trouble_before()
    return [f"the kernel said before: {trouble}"] if trouble else []


def until(what: str, condition) -> None:
    """Wait for it, as long as a machine may take to go down."""
    deadline = time.monotonic() + DOWN_TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"not within {DOWN_TIMEOUT} s: {what}")
        time.sleep(0.5)


def has_rebooted(host: Host, before: str) -> bool:
    """Whether another boot answers."""
    try:
        now = host.call(BOOT_ID, timeout=60)
    except subprocess.TimeoutExpired:
        return False
    return now.returncode == 0 and now.stdout.strip() != before


def reboot(host: Host, release: str) -> List[str]:
    """Restart the machine."""
    before, seen = host.run(BOOT_ID), len(host.lab("log").stdout)
    go_down(host, "reboot", release)
    until("the machine to restart", lambda: has_rebooted(host, before))
    host.call("systemctl is-system-running --wait", timeout=DOWN_TIMEOUT)
    return console_since(host, seen) + kernel_before(host)


def poweroff(host: Host, release: str) -> List[str]:
    """Power the machine off, and on."""
    seen = len(host.lab("log").stdout)
    go_down(host, "poweroff", release)
    until("the machine to be off", lambda: not is_up(host))
    problems = console_since(host, seen)
    host.lab("reboot", "--root", host.bundle, timeout=900)
    return problems + kernel_before(host)


def sleep(host: Host, release: str) -> List[str]:
    """Ask for sleep, as root: whom no inhibitor of root's own stops (manager_is_inhibited() in systemd's
    src/login/logind-inhibit.c). The kernel puts its devices to sleep for five seconds, but not the machine:
    a clock that is to wake it may ring before it sleeps."""
    status = host.call("echo devices >/sys/power/pm_test; busctl call org.freedesktop.login1 "
                       "/org/freedesktop/login1 org.freedesktop.login1.Manager SuspendWithFlags t 0; "
                       f"r=$?; {release}; exit $r", timeout=60).returncode
    return [f"the host was not put to sleep: exit status {status}"] if status != 0 else []


VERBS = {"reboot": reboot, "poweroff": poweroff, "sleep": sleep}
GOES_DOWN = ("reboot", "poweroff")
