# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's host as a test sees it: commands, the kernel's state, the monitor."""

import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import Iterable, Iterator, List, Optional

from . import variants
from .common import LabError
from .machine import Lab

LAB = Path(__file__).resolve().parent.parent / "lab"
STATE = (Path(__file__).resolve().parent / "state.sh").read_text(encoding="utf-8")

HOOK = "/etc/libvirt/hooks/qemu.d/gpu-guest"
GPU = "0000:00:02.0"
SESSION = "loginctl list-sessions --no-legend | grep seat0 || :"
SNAPSHOT = "desktop"
CALL_TIMEOUT = 180
STATE_TIMEOUT = 60
STEPS = ("desktop", "seat", "audio", "vtcon", "vfio")

# Has the guest's QEMU fail when it starts, as libvirt finds out when all is prepared
WITH_BAD_OPTION = r"""virsh dumpxml painter |
sed "s|^<domain |&xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' |
s|</domain>|<qemu:commandline><qemu:arg value='-no-such-option'/></qemu:commandline>&|" >/run/painter.xml
virsh define /run/painter.xml"""

# What the kernel says when something is wrong, and never otherwise
KERNEL_TROUBLE = r"WARNING:|BUG:|Oops|cut here|Call Trace|general protection|blocked for more than|use-after-free"
# What systemd writes to the console when a unit fails, or keeps a shutdown waiting; the kernel writes
# there only what is worse than a warning
CONSOLE_TROUBLE = r"\[FAILED\]|[Tt]imed out|Job \S+/stop running \((\dmin|[3-9]\ds)|" + KERNEL_TROUBLE


def console_trouble(text: str) -> List[str]:
    """The lines of a boot's or shutdown's console that tell of trouble; systemd writes in colours."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    return [line.strip() for line in lines if re.search(CONSOLE_TROUBLE, line)]


class Host:
    """A lab that is up, under this name; bundle is the tree that was laid over its root."""

    def __init__(self, name: str, bundle: str = ""):
        self.name = name
        self.machine = Lab(name)
        self.bundle = bundle
        self.what = variants.get("plain")
        self.desktop = variants.desktop(self.what.desktop)
        self.session = ""  # on the seat, when the host had booted
        self.touched = True  # by a test since the snapshot was loaded

    def at_desktop(self, *options: str) -> Iterator["Host"]:
        """Boot it with these options of "lab up", save it at its desktop, and end it after the
        yield."""
        self.lab("down", check=False)
        root = ["--root", self.bundle] if self.bundle else []
        self.up(*root, *options)
        self.wait_look(self.what.look)
        # a first guest costs libvirt more than the ones after it: that need not be in every test
        self.start_and_stop_plain()
        self.session = self.run(SESSION)
        self.lab("save", SNAPSHOT)
        yield self
        if not os.environ.get("GPU_GUEST_KEEP_LAB"):
            self.lab("down")

    def up(self, *options: str) -> None:
        """Boot it with these options of "lab up"."""
        self.lab("up", *options, timeout=3000)
        self.what = variants.get(self.machine.state["variant"])
        self.desktop = variants.desktop(self.what.desktop)

    def lab(self, verb: str, *args: str, timeout: float = 600, check: bool = True):
        """Run a verb of the lab program."""
        command = [str(LAB), verb, "--name", self.name, *args]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=timeout, check=False)
        if check and result.returncode != 0:
            raise AssertionError(f"lab {verb} {' '.join(args)}: exit status {result.returncode}\n"
                                 f"{result.stdout}{result.stderr}")
        return result

    def call(self, command: str, timeout: float = CALL_TIMEOUT, stdin=subprocess.DEVNULL, user="root"):
        """Run a shell command on the host, whatever its exit status."""
        # not by the lab program: a test asks so often that starting it would take a good part of a core
        ssh = ["ssh", *self.machine.ssh_options(), f"{user}@lab", "--", command]
        try:
            self.machine.need_up()
        except LabError as e:
            return subprocess.CompletedProcess(ssh, 255, "", str(e))
        return subprocess.run(ssh, cwd=self.machine.dir, stdin=stdin, capture_output=True,
                              text=True, timeout=timeout, check=False)

    def look(self) -> str:
        """What the monitor shows now."""
        return self.machine.look()

    def run(self, command: str, timeout: float = CALL_TIMEOUT, user="root") -> str:
        """Run a shell command that has to succeed; gives its output."""
        result = self.call(command, timeout, user=user)
        assert result.returncode == 0, \
            f"{command}: exit status {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Make a file on the host."""
        self.run(f"mkdir -p {shlex.quote(str(Path(path).parent))} && "
                 f"printf %s {shlex.quote(text)} > {shlex.quote(path)}")

    def copy(self, target: str, *paths: Path) -> None:
        """Copy files into a directory of the host."""
        self.lab("copy", *map(str, paths), target)

    def wait(self, command: str, timeout: float = 60) -> str:
        """Ask until a command succeeds; gives its output."""
        deadline = time.monotonic() + timeout
        while True:
            result = self.call(command, max(timeout, CALL_TIMEOUT))
            if result.returncode == 0:
                return result.stdout.strip()
            assert time.monotonic() < deadline, \
                f"not within {timeout} s: {command}\n{result.stdout}{result.stderr}"
            time.sleep(0.3)

    def wait_look(self, look: str, timeout: Optional[float] = None) -> None:
        """Wait until this is what the monitor shows: desktop, guest, text (a console), or dark:
        nobody draws, and what the console left last may still stand there."""
        if look == "dark" and not self.what.is_seen:
            return
        wanted = ("black", "text") if look == "dark" else (look,)
        timeout = timeout or self.desktop.patience
        deadline = time.monotonic() + timeout
        while (now := self.look()) not in wanted:
            assert time.monotonic() < deadline, \
                f"the monitor did not show {look} within {timeout:.0f} s, it shows {now}"
            time.sleep(0.5)

    def wait_jobs(self, timeout: float = 60) -> None:
        """Wait until systemd has nothing more to start or to stop."""
        self.wait('jobs=$(systemctl list-jobs --no-legend) && test -z "$jobs"', timeout)

    def start_and_stop_plain(self) -> None:
        """Let the guest run that does not have the GPU."""
        self.run("virsh start plain", timeout=300)
        assert self.run("virsh domstate plain") == "running"
        self.run("virsh destroy plain")

    def forget_cut_login(self) -> None:
        """logind's scope of a login that the display manager was in the middle of when it was stopped
        fails: the process that it was to hold has ended."""
        self.run("systemctl reset-failed 'session-*.scope' 2>/dev/null || :")

    def state(self) -> dict:
        """The kernel's and the services' state, as state.sh prints it."""
        given = f"driver={self.what.driver} server={shlex.quote(self.desktop.server)}\n"
        lines = self.run(given + STATE).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def state_of(self, keys: Iterable[str]) -> dict:
        """That part of the state."""
        state = self.state()
        return {k: state[k] for k in keys}

    def wait_state(self, expected: dict) -> None:
        """Where the monitor does not tell when all is done, ask until the state does."""
        deadline = time.monotonic() + STATE_TIMEOUT
        while self.state_of(expected) != expected and time.monotonic() < deadline:
            time.sleep(1)

    def state_back(self, desktop: bool) -> dict:
        """The state when everything is the host's, with a desktop or without."""
        back = {
            "driver": self.what.driver, "override": "(null)", "audio_driver": "snd_hda_intel",
            "audio_depends_on_gpu": "yes", "card_node": "yes", "framebuffer_console": self.what.console,
            "module": "loaded", "records": "", "steps": "", "leases": "", "failed": "",
            "inhibitors": "", "vfio_users": "",
        }
        back |= ({"graphical_sessions": self.desktop.session, "server_on_gpu": "yes"} if desktop else
                 {"graphical_sessions": "", "server_on_gpu": "no"})
        return back

    def journal(self, *units: str) -> str:
        """What our units have said since the snapshot that the test began with."""
        match = " ".join(f"-u {shlex.quote(u)}" for u in units or ("gpu-guest*",))
        return self.run(f"journalctl -b --no-pager -o cat {match} 2>/dev/null || :")

    def kernel_trouble(self) -> str:
        """Warnings and worse in the kernel's log."""
        return self.run(f"dmesg | grep -E {shlex.quote(KERNEL_TROUBLE)} || :")

    def kernel_trouble_before(self) -> str:
        """The same of the boot before this one, as far as its journal goes."""
        log = self.run("journalctl --no-pager -q -k -b -1 -o cat")
        assert log, "there is no journal of the boot before"
        return "\n".join(line for line in log.splitlines() if re.search(KERNEL_TROUBLE, line))

    # what has to be so

    def assert_untouched(self) -> None:
        """None of our units has run but the check, which only looks, and the desktop is the one that was
        there before."""
        assert self.run("journalctl -b -q --no-pager -o cat -u gpu-guest.target -u 'gpu-guest@*' "
                        "-u 'gpu-guest-[!c]*' _PID=1") == ""
        assert self.run("basename $(readlink /sys/bus/pci/devices/0000:00:02.0/driver)") == \
            self.what.driver
        assert self.run(SESSION) == self.session

    def assert_has_gpu(self, desktop: Optional[bool] = None) -> None:
        """Everything is the host's again, and the desktop if it had one, or as told."""
        if desktop is None:
            desktop = self.what.look == "desktop"
        if desktop:
            self.wait_look("desktop")
        # a session that has just come up is still starting its services
        self.wait_jobs(self.desktop.patience)
        self.wait("grep -q HDA /proc/asound/cards")
        expected = self.state_back(desktop)
        if not desktop or not self.what.is_seen:
            self.wait_state(expected)
        assert self.state_of(expected) == expected

    def assert_guest_has_gpu(self, *domains: str, look: str = "guest", audio: str = "none",
                             console: Optional[str] = None) -> None:
        """Everything is the guest's; domains are those that hold a lease, audio is what the audio
        controller is bound to, console the framebuffer console if not as the variant says."""
        self.wait_look(look)
        module = "loaded" if self.what.keeps_module else "not loaded"
        expected = {
            "driver": "vfio-pci", "override": "vfio-pci", "audio_driver": audio,
            "group_drivers": "vfio-pci", "group_node": "yes",
            "card_node": "no", "framebuffer_console": console or self.what.console_away,
            "module": module,
            "graphical_sessions": "", "server_on_gpu": "no",
            "steps": " ".join(sorted(STEPS)), "failed": "",
            "leases": " ".join(sorted(domains)), "inhibitors": " ".join(sorted(domains)),
        }
        if look == "guest":
            expected["vfio_users"] = "qemu-system-x86"
        else:
            # a lease is there a moment before logind has its lock
            self.wait_state(expected)
        assert self.state_of(expected) == expected
